"""Features and attentions of any network by name, without a change to its code.

Names, the first that fits:

- an alias, which stands for any other name;
- the path of a module as in ``named_modules``, such as ``body.stages.1``: its output, the first tensor if it gives
  several;
- ``inputs``: the first input;
- ``stage1``, ``stage2``, …, and ``last`` for the last of them: see ``teachers.stages.find_stages``;
- ``attention1``, ``attention2``, … in the order in which they run, ``attention_last``, or the path of a module that
  runs attention, followed by ``.weights``, ``.scores``, ``.query``, ``.key``, ``.value`` or ``.seen``: see
  ``teachers.attention.Attention``.

``.pooled`` after any but attentions takes the mean over pixels (B, C, H, W) or over tokens (B, T, D); vectors stay.
A module that runs several times in one forward pass counts as it ran last, and so does the attention within it.

Shape letters: B = batch, C = channels, H and W = height and width, T = tokens, D = width of a token.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from teachers.attention import PARTS, AttentionRecorder
from teachers.exploring import Exploration, explore, first_tensor
from teachers.outputs import Outputs

POOLED = "pooled"
_SHOWN = 12


def unaliased(name: str, aliases: Mapping[str, str]) -> str:
    """Replace an alias by what it stands for; a suffix that follows the alias is kept.

    Args:
        name: Of a feature.
        aliases: Names by alias.
    """
    base, _, suffix = name.rpartition(".")
    if name not in aliases and base in aliases and suffix in (POOLED, *PARTS):
        return f"{aliases[base]}.{suffix}"
    return aliases.get(name, name)


def pooled(feature: Tensor) -> Tensor:
    """Take the mean over pixels (B, C, H, W) or tokens (B, T, D), so that a vector a sample is left.

    Raises:
        ValueError: It has another number of dimensions.
    """
    if feature.ndim not in (2, 3, 4):
        raise ValueError(f".pooled is for images, tokens and vectors, this feature has shape {tuple(feature.shape)}")
    return feature if feature.ndim == 2 else feature.mean(dim=(2, 3) if feature.ndim == 4 else 1)


def available(module: nn.Module, example: tuple[Any, ...]) -> Mapping[str, tuple[int, ...]]:
    """List the features that a network has, with their shapes.

    Args:
        module: The network.
        example: Its inputs, each (B, ...); a few rows will do.

    Returns:
        Shape (B, ...) by name: inputs, stages, attentions, then paths of modules.
    """
    return explore(module, example).shapes()


@dataclass(frozen=True, kw_only=True)
class _Tap:
    """Where a feature comes from: a module by its path, an attention by its number, or the input."""

    path: str = ""
    attention: int = 0
    part: str = ""
    pooled: bool = False


class Taps:
    """Runs a network and keeps what was asked for; hooks are there during a call only."""

    def __init__(
        self,
        module: nn.Module,
        names: Collection[str],
        *,
        example: tuple[Any, ...],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Find the features in an example run.

        Args:
            module: The network; it is run once in evaluation mode, and is afterwards as it was.
            names: Of the features.
            example: Inputs of the network, each (B, ...); a few rows will do.
            aliases: Names that stand for others.

        Raises:
            ValueError: There is no feature of a name.
        """
        self.module = module
        seen = explore(module, example)
        self._taps = {name: _find(name, unaliased(name, aliases or {}), seen) for name in names}
        self._copied = seen.written_over
        self._modules = {tap.path: module.get_submodule(tap.path) for tap in self._taps.values() if tap.path}
        self._attentions = {tap.attention for tap in self._taps.values() if tap.attention}

    def __call__(self, *inputs: Any) -> Outputs:  # tensors, or whatever the network takes
        """Run the network.

        Returns:
            ``logits``, the (first) tensor that the network gives; and the features, with gradients if it has them.

        Raises:
            ValueError: A module, or an attention, did not run this time.
        """
        kept: dict[str, Tensor] = {}
        recorder = AttentionRecorder(self._attentions) if self._attentions else None
        hooks = []
        try:
            for path, module in self._modules.items():
                hooks.append(module.register_forward_hook(partial(self._keep, kept, path)))
            with recorder or nullcontext():
                answer = self.module(*inputs)
        finally:
            for hook in hooks:
                hook.remove()
        features = {}
        for name, tap in self._taps.items():
            if recorder is not None and tap.attention:
                _must_have_run(name, tap.attention in recorder.calls)
                feature = recorder.calls[tap.attention].part(tap.part)
            else:
                _must_have_run(name, not tap.path or tap.path in kept)
                feature = kept[tap.path] if tap.path else inputs[0]
            features[name] = pooled(feature) if tap.pooled else feature
        return Outputs(logits=_logits(answer), features=features)

    @property
    def paths(self) -> dict[str, str]:
        """Path of the module that gives each feature which is a module's output."""
        return {name: tap.path for name, tap in self._taps.items() if tap.path}

    def _keep(self, kept: dict[str, Tensor], path: str, _module: nn.Module, _inputs: object, answer: object) -> None:
        value = first_tensor(answer)
        if value is not None:
            kept[path] = value.clone() if path in self._copied else value


def _logits(answer: object) -> Tensor:
    logits = answer if isinstance(answer, Tensor) else getattr(answer, "logits", None)
    found = logits if isinstance(logits, Tensor) else first_tensor(answer)
    if found is None:
        raise ValueError(f"a network must return a tensor, or a record with logits, got {type(answer).__name__}")
    return found


def _must_have_run(name: str, ran: bool) -> None:
    if not ran:
        raise ValueError(f"feature {name!r} did not come up in this run of the network, as it did in the example run")


def _find(given: str, name: str, seen: Exploration) -> _Tap:
    """Find a feature; ``given`` is what it was called before aliases were replaced."""
    base, _, suffix = name.rpartition(".")
    if suffix == POOLED and name not in seen.paths:
        tap = _find_activation(base, seen)
        if tap is not None:
            return _Tap(path=tap.path, pooled=True)
    else:
        tap = _find_activation(name, seen)
        if tap is None and suffix in PARTS:
            number = _attention_number(base, seen)
            tap = _Tap(attention=number, part=suffix) if number in seen.attentions else None
        if tap is not None:
            return tap
    raise ValueError(_unknown(given, name, seen))


def _find_activation(name: str, seen: Exploration) -> _Tap | None:
    if name in seen.paths:
        path = seen.paths[name]
        return _Tap(path=path) if path in seen.values else None
    if name == "inputs":
        return _Tap() if isinstance(seen.example[0], Tensor) else None
    number = len(seen.stages) if name == "last" else _number(name, "stage")
    return _Tap(path=seen.stages[number - 1]) if 0 < number <= len(seen.stages) else None


def _attention_number(base: str, seen: Exploration) -> int:
    if base in seen.paths:
        return seen.attention_of.get(seen.paths[base], 0)
    return len(seen.attentions) if base == "attention_last" else _number(base, "attention")


def _number(name: str, what: str) -> int:
    match = re.fullmatch(rf"{what}([1-9]\d*)", name)
    return int(match[1]) if match else 0


def _unknown(given: str, name: str, seen: Exploration) -> str:
    shapes = seen.shapes()
    stages = [f"{key} {shape[1:]}" for key, shape in shapes.items() if key == "last" or _number(key, "stage")]
    attentions = [f"attention{number} {shapes[f'attention{number}.weights'][1:]}" for number in seen.attentions]
    paths = [path for path in seen.values if path]
    base = name.rpartition(".")[0] if name.rpartition(".")[2] in (POOLED, *PARTS) else name
    close = difflib.get_close_matches(base, paths, n=_SHOWN, cutoff=0.5) or paths[:_SHOWN]
    meant = "" if name == given else f" (it stands for {name!r})"
    parts = ", ".join(f".{part}" for part in PARTS)
    message = (
        f"unknown feature {given!r}{meant}; stages with shapes after the batch: {', '.join(stages) or 'none'}; "
        f"attentions, each with {parts}: {', '.join(attentions) or 'none'}; modules such as {', '.join(close)}"
    )
    if name in seen.paths:
        message += f"; the module {name!r} is there, but gave no tensor when the network ran"
    elif "attention" in name and not attentions:
        message += (
            "; only attention of torch.nn.functional.scaled_dot_product_attention and nn.MultiheadAttention can be "
            "seen: load a model of transformers with attn_implementation='sdpa'"
        )
    return message
