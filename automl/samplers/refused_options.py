"""An option that a sampler does not take, told with those that it takes."""

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from trials.near_names import and_known

_REFUSAL = re.compile(r"(\S+?)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


def refused_option(error: Exception) -> str:
    """Say which option was refused and which there are; empty where the error tells of something else.

    A sampler is often made by way of a function that hands its options on, so that only the call that failed knows who
    refused.

    Args:
        error: From making a sampler.
    """
    found = _REFUSAL.match(str(error))
    if not isinstance(error, TypeError) or found is None:
        return ""
    refuser = next(_called(error, found[1].rpartition(".")[2]), None)
    if refuser is None:
        return ""
    return f"has no option {found[2]!r}{and_known(found[2], _options(refuser), 'known:')}"


def _called(error: Exception, name: str) -> Iterator[Callable[..., Any]]:
    """Find what has a name where the error was raised."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        for thing in (*frame.f_locals.values(), *frame.f_globals.values()):
            if callable(thing) and getattr(thing, "__name__", None) == name:
                yield thing


def _options(made_by: Callable[..., Any]) -> list[str]:
    """Name what can be given by its name and is not given already."""
    return [
        name
        for name, parameter in inspect.signature(made_by).parameters.items()
        if name != "seed"
        and (
            parameter.kind is parameter.KEYWORD_ONLY
            or (parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is not parameter.empty)
        )
    ]
