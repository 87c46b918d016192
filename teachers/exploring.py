"""An example run of a network that shows what each of its modules gives.

Shape letters: B = batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from teachers.attention import Attention, AttentionRecorder
from teachers.stages import Event, find_stages


@dataclass(frozen=True, kw_only=True, eq=False)
class Exploration:
    """What was seen of a network.

    Args:
        module: The network.
        example: What it was given.
        events: What its modules gave, in their order; a module that runs several times stands there several times.
        written_over: Paths of modules whose output was changed in place after they gave it.
        attentions: By number, in the order of the calls, from 1.
        attention_of: Number of the last attention within each module that runs any, by path.
    """

    module: nn.Module
    example: tuple[Any, ...]
    events: tuple[Event, ...]
    written_over: frozenset[str]
    attentions: Mapping[int, Attention]
    attention_of: Mapping[str, int]

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Paths of the stages; see ``find_stages``."""
        return find_stages(self.module, self.events)

    @cached_property
    def values(self) -> Mapping[str, Tensor]:
        """What each module gave last, by path; empty path for the network."""
        return {event.path: event.value for event in self.events}

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """The path that stands for each module, by any path that it has; a shared module has several."""
        first: dict[int, str] = {}
        every = self.module.named_modules(remove_duplicate=False)
        return {path: first.setdefault(id(module), path) for path, module in every if path}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """List all names that a tap can have, without suffixes that pool, with shapes (B, ...)."""
        found = {}
        if isinstance(self.example[0], Tensor):
            found["inputs"] = tuple(self.example[0].shape)
        for number, path in enumerate(self.stages, start=1):
            found[f"stage{number}"] = found["last"] = tuple(self.values[path].shape)
        for number, attention in self.attentions.items():
            found[f"attention{number}.weights"] = tuple(attention.weights().shape)
            found[f"attention{number}.scores"] = tuple(attention.scores().shape)
            for part in ("query", "key", "value", "seen"):
                found[f"attention{number}.{part}"] = tuple(attention.part(part).shape)
        return found | {path: tuple(value.shape) for path, value in self.values.items() if path}


def explore(module: nn.Module, example: tuple[Any, ...]) -> Exploration:
    """Run a network once in evaluation mode, without gradients, and note what its modules give.

    Modes, statistics and random numbers are afterwards as they were.

    Args:
        module: The network.
        example: Its inputs, each (B, ...); a few rows will do.
    """
    events: list[Event] = []
    recorder = AttentionRecorder()
    entered: list[int] = []
    attention_of: dict[str, int] = {}

    def enter(_module: nn.Module, _inputs: object) -> None:
        entered.append(recorder.num_calls)

    def leave(path: str, _module: nn.Module, _inputs: object, answer: object) -> None:
        if recorder.num_calls > entered.pop():
            attention_of[path] = recorder.num_calls
        value = first_tensor(answer)
        if value is not None:
            events.append(Event(path=path, value=value, version=version_of(value)))

    modes = {each: each.training for each in module.modules()}
    handles = []
    try:
        for path, each in module.named_modules():
            each.training = False
            handles.append(each.register_forward_pre_hook(enter))
            handles.append(each.register_forward_hook(partial(leave, path)))
        with torch.no_grad(), torch.random.fork_rng(devices=[]), recorder:
            module(*example)
    finally:
        for handle in handles:
            handle.remove()
        for each, training in modes.items():
            each.training = training
    return Exploration(
        module=module,
        example=example,
        events=tuple(events),
        written_over=frozenset(event.path for event in events if version_of(event.value) != event.version),
        attentions=recorder.calls,
        attention_of=attention_of,
    )


def first_tensor(answer: object) -> Tensor | None:
    """Find the first tensor in what a module returned: a tensor, a sequence, a mapping, or a record of transformers."""
    if isinstance(answer, Tensor):
        # Layers of nn.TransformerEncoder hand each other nested tensors where rows are padded.
        return answer.to_padded_tensor(0.0) if answer.is_nested else answer
    parts: Callable[[], Any] | tuple[object, ...] | list[object] | None
    if isinstance(answer, Mapping):
        parts = tuple(answer.values())
    else:
        parts = answer if isinstance(answer, tuple | list) else None
    return next((found for part in parts or () if (found := first_tensor(part)) is not None), None)


def version_of(value: Tensor) -> int:
    """Tell how often a tensor has been written to; 0 in inference mode, which does not count."""
    return 0 if value.is_inference() else value._version
