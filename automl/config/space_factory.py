"""From a name and options to a search space; what is no space is told before anything of it runs, where that shows."""

import inspect
import sys
import typing
from collections.abc import Callable, Mapping

from torch import nn

from automl.config.messages import unknown
from search_spaces import SPACES, SearchSpace
from search_spaces.imports import import_object

_EXPECTED = "expected a function that returns a search_spaces.SearchSpace"


class WrongOptionsError(ValueError):
    """The space is there, and does not take its options."""


def make_space(name: str, options: Mapping[str, object]) -> SearchSpace:
    """Make a search space.

    Args:
        name: Of the catalog, or ``package.module:name``.
        options: Keyword arguments.

    Raises:
        WrongOptionsError: It does not take the options, or needs others.
        ValueError: There is no such space, or what is there makes none.
    """
    if ":" in name:
        factory = _checked(name, import_object(name))
    elif name in SPACES:
        factory = SPACES[name]
    else:
        raise ValueError(f"{unknown(name, SPACES, 'space')}, or package.module:name")
    _check_options(name, factory, options)
    try:
        space = factory(**options)
    except ValueError as error:
        raise (WrongOptionsError if options else ValueError)(str(error)) from error
    except Exception as error:  # It may be the user's code.
        raise ValueError(f"{name!r}, called with {dict(options)}, raised {type(error).__name__}: {error}") from error
    if not isinstance(space, SearchSpace):
        raise ValueError(f"{name!r} returned {_a(type(space))}; {_EXPECTED}")
    return space


def _checked(name: str, found: object) -> Callable[..., object]:
    """Refuse what cannot make a search space, without calling it."""
    module = getattr(found, "__module__", None) or ""
    if isinstance(found, SearchSpace):
        raise ValueError(f"{name!r} is a search space already; {_EXPECTED}, so write a function that returns it")
    if not callable(found):
        raise ValueError(f"{name!r} is {_a(type(found))}; {_EXPECTED}")
    if inspect.isclass(found) and any(base.__module__.startswith("nni.nas.") for base in found.__mro__):
        raise ValueError(f"{name!r} is a model space of NNI; write `space: nni` and `options: {{factory: '{name}'}}`")
    if inspect.isclass(found) and issubclass(found, nn.Module):
        raise ValueError(
            f"{name!r} is a torch.nn.Module, which is a student and no space of students; write "
            f"`space: factory` and `options: {{factory: '{name}'}}`"
        )
    if module.partition(".")[0] in {*sys.stdlib_module_names, *sys.builtin_module_names}:
        raise ValueError(f"{name!r} belongs to Python itself (module {module}); {_EXPECTED}")
    if inspect.isclass(found) and not issubclass(found, SearchSpace):
        raise ValueError(f"{name!r} is a class that is no SearchSpace; {_EXPECTED}")
    returned = _returned(found)
    if inspect.isclass(returned) and not issubclass(returned, SearchSpace):
        raise ValueError(f"{name!r} returns {_a(returned)}, as its annotation says; {_EXPECTED}")
    return found


def _returned(function: Callable[..., object]) -> object:
    """Give the annotation of what is returned; None where there is none to read."""
    try:
        found = typing.get_type_hints(function).get("return")
    except Exception:
        return None
    return None if found is object else found


def _check_options(name: str, factory: Callable[..., object], options: Mapping[str, object]) -> None:
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # Python cannot tell, as of functions written in C.
        return
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    known = {key: each for key, each in parameters.items() if each.kind not in variadic}
    for option in options:
        if option not in known and not takes_any:
            raise WrongOptionsError(unknown(option, known, f"option of space {name!r}:"))
    needed = [key for key, each in known.items() if each.default is inspect.Parameter.empty and key not in options]
    if needed:
        written = ", ".join(f"{key}: ..." for key in needed)
        raise WrongOptionsError(
            f"space {name!r} needs {'the option' if len(needed) == 1 else 'the options'} {', '.join(needed)}; write "
            f"`options: {{{written}}}` beside `space`; its options are {', '.join(sorted(known))}"
        )


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[:1] in 'aeiouAEIOU' else 'a'} {kind.__name__}"
