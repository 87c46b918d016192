"""Options of samplers: which there are and of what type, each mistake told at its place in the config."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from trials.data.settings import SettingError
from trials.near_names import and_known

Make = TypeVar("Make", bound=Callable[..., object])

_GIVEN = ("seed", "rank")
"""What the search itself gives its own samplers."""
_NOUNS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
"""What a default says that a value must be."""
_PLAIN = re.compile(r"(int|float|bool|str|None|Literal\[[^]]*\])( \| (int|float|bool|str|None))*")
"""Annotations of what a config can hold."""


def takes_options_of(taker: Callable[..., object], make: Make) -> Make:
    """Mark what makes a sampler, and hands its options on, as taking those of another callable.

    Args:
        taker: What takes the options in the end, with everything else bound that is no option.
        make: Makes the sampler.
    """
    options = [each for each in inspect.signature(taker).parameters.values() if each.name not in _GIVEN]
    whole = [each if each.kind is each.VAR_KEYWORD else each.replace(kind=each.KEYWORD_ONLY) for each in options]
    seed = inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY)
    make.__signature__ = inspect.Signature([seed, *whole])  # type: ignore[attr-defined] # functions take attributes
    return make


def check_options(name: str, make: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Reject options that a sampler cannot take.

    Args:
        name: Of the sampler, for messages.
        make: Is called with ``seed`` and the options.
        options: As the config gives them.

    Raises:
        SettingError: One is unknown, or of another type than its default.
        ValueError: The call lacks an argument, or takes no seed.
    """
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):  # Python cannot tell, as of what is written in C; a call will.
        return
    parameters = {key: each for key, each in signature.parameters.items() if key != "seed"}
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for option, value in options.items():
        if option == "seed":
            raise SettingError(f"the seed of {name!r} follows from `seed` of the search; leave it out", *_at(option))
        if option not in parameters and not takes_any:
            known = [key for key, each in parameters.items() if _is_plain(each)]
            raise SettingError(f"{name!r} has no option {option!r}{and_known(option, known, 'it has')}", *_at(option))
        if option in parameters and (expected := _misfit(value, parameters[option])):
            raise SettingError(f"{option} of {name!r} must be {expected}, got {value!r}", *_at(option))
    try:
        signature.bind(seed=0, **options)
    except TypeError as error:
        raise ValueError(f"{name!r} takes {signature}, and is called with seed and its options: {error}") from error


def _at(option: str) -> tuple[str, str]:
    return "options", option


def _is_plain(parameter: inspect.Parameter) -> bool:
    """Whether a config can hold what a parameter takes, as far as its annotation tells."""
    if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
        return False
    return parameter.annotation is parameter.empty or _PLAIN.fullmatch(_annotation(parameter)) is not None


def _misfit(value: object, parameter: inspect.Parameter) -> str:
    """Say what was expected in place of a value; nothing where it fits, or where the default tells no type."""
    expected = type(parameter.default)
    if expected not in _NOUNS or type(value) is expected or (expected is float and type(value) is int):
        return ""
    return "" if value is None and "None" in _annotation(parameter) else _NOUNS[expected]


def _annotation(parameter: inspect.Parameter) -> str:
    found = parameter.annotation
    found = getattr(found, "__forward_arg__", found)  # as a NamedTuple has them
    return found if isinstance(found, str) else inspect.formatannotation(found)
