"""Which modules of a network are its stages: read from how it is built, or else from what an example run shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

LIST_NAMES = ("stages", "layers", "blocks", "layer", "features", "h")
"""What libraries call the list of a network's stages."""

DEEPEST_LIST = 3
"""Modules between the network and the one that holds the list: ``body.vit.encoder`` of ``layer``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Event:
    """A module of a network gave a tensor, in an example run.

    Args:
        path: Of the module, as in ``named_modules``; empty for the network.
        value: The (first) tensor that it gave.
        version: How often the tensor had been written by then.
    """

    path: str
    value: Tensor
    version: int


def find_stages(module: nn.Module, events: Sequence[Event]) -> tuple[str, ...]:
    """Find the stages of a network, from its input to its output.

    1. A list of modules called ``stages``, ``layers``, ``blocks``, ``layer``, ``features`` or ``h``, or attributes
       ``layer1``, ``layer2``, …, in the network or up to three modules below it; the one with most parameters if there
       are several, the outermost and first one of as many. Each of its modules must be made of modules.
    2. Else, of networks that look at images: for each size of the picture the last module whose output has it, once
       a module with parameters has run; sizes of one pixel only where there is no other.
    3. Else the longest ``ModuleList`` or ``Sequential``, where modules without a matrix of weights (activations,
       normalisation, dropout) belong to the one before them; what gives the network's output is its head and no stage.

    Args:
        module: The network.
        events: What its modules gave in an example run, in their order.

    Returns:
        Paths of the modules whose outputs are those of the stages; empty if nothing of the kind is found.
    """
    ran = {event.path for event in events}
    for paths in (_by_name(module), _by_size(module, events), _longest(module, events)):
        found = tuple(path for path in paths if path in ran)
        if found:
            return found
    return ()


def _by_name(module: nn.Module) -> list[str]:
    best: list[str] = []
    most = -1
    level = [("", module)]
    for _ in range(DEEPEST_LIST + 1):
        for prefix, holder in level:
            for paths, members in _lists(prefix, holder):
                size = sum(parameter.numel() for member in members for parameter in member.parameters())
                if size > most and all(any(True for _ in member.children()) for member in members):
                    best, most = paths, size
        level = [(f"{prefix}{name}.", child) for prefix, holder in level for name, child in holder.named_children()]
    return best


def _lists(prefix: str, holder: nn.Module) -> list[tuple[list[str], list[nn.Module]]]:
    children = dict(holder.named_children())
    found = []
    for name in LIST_NAMES:
        members = children.get(name)
        if isinstance(members, nn.ModuleList | nn.Sequential) and len(members):
            inner = dict(members.named_children())
            found.append(([f"{prefix}{name}.{key}" for key in inner], list(inner.values())))
    numbered: list[str] = []
    while f"layer{len(numbered) + 1}" in children:
        numbered.append(f"layer{len(numbered) + 1}")
    if len(numbered) > 1:
        found.append(([prefix + name for name in numbered], [children[name] for name in numbered]))
    return found


def _by_size(module: nn.Module, events: Sequence[Event]) -> list[str]:
    modules = dict(module.named_modules())
    last: dict[tuple[int, ...], str] = {}
    learnt = False
    for event in events:
        learnt = learnt or any(True for _ in modules[event.path].parameters())
        if learnt and event.path and event.value.ndim == 4:
            size = tuple(event.value.shape[2:])
            last.pop(size, None)  # So that sizes stand in the order of their last modules.
            last[size] = event.path
    if any(size != (1, 1) for size in last):
        last.pop((1, 1), None)
    return list(last.values())


def _longest(module: nn.Module, events: Sequence[Event]) -> list[str]:
    lists: dict[str, Mapping[str, nn.Module]] = {
        f"{path}." if path else "": dict(each.named_children())
        for path, each in module.named_modules()
        if isinstance(each, nn.ModuleList | nn.Sequential)
    }
    if not lists:
        return []
    longest = max(lists, key=lambda prefix: len(lists[prefix]))
    stages: list[str] = []
    for name, member in lists[longest].items():
        begins = any(parameter.ndim > 1 for parameter in member.parameters())
        if begins or not stages:
            stages.append(longest + name)
        else:
            stages[-1] = longest + name
    output = next(event.value for event in events if not event.path)
    outputs = {event.path: event.value for event in events}
    return [path for path in stages if outputs.get(path) is not output]
