"""Graphs that were traced before in this process, so that each architecture is traced once a worker."""

from collections import OrderedDict
from collections.abc import Hashable

from torch import nn

from search_spaces import ModelSignature
from trials.export import Template, trace

MOST = 16
"""Templates that are kept; the one that was used longest ago goes first."""

_PLAIN = (bool, int, float, str, tuple, type(None))
_kept: OrderedDict[Hashable, Template] = OrderedDict()


def trace_once(module: nn.Module, signature: ModelSignature, *, name: Hashable) -> Template:
    """Trace a module, unless one of the same architecture was traced before.

    Args:
        module: As ``trace`` takes it; its weights do not matter.
        signature: As ``trace`` takes it.
        name: Names the architecture and all constants in the module, as far as its user knows them.
    """
    key = (name, signature, _structure(module))
    if key not in _kept:
        _kept[key] = trace(module, signature)
        if len(_kept) > MOST:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def forget() -> None:
    """Drop all templates."""
    _kept.clear()


def _structure(module: nn.Module) -> str:
    """Tell modules apart that have one name: two spaces may call themselves the same and build differently."""
    parts: list[object] = [(name, tuple(tensor.shape)) for name, tensor in sorted(module.state_dict().items())]
    for name, part in module.named_modules():
        kind = type(part)
        parts.append((name, kind.__module__, kind.__qualname__))
        for attribute, value in sorted(vars(part).items()):
            if isinstance(value, _PLAIN):
                parts.append((attribute, value))
            elif callable(value):
                parts.append((attribute, getattr(value, "__qualname__", type(value).__qualname__)))
    return repr(parts)
