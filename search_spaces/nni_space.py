"""Students from a model space of NNI: its mutables are the choices, and ``freeze`` gives the student."""

import inspect
import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import torch
from torch import nn

from search_spaces.choices import Values
from search_spaces.imports import import_object
from search_spaces.nni_library import import_layers, import_nni
from search_spaces.nni_mutables import Reading
from search_spaces.signature import ModelSignature
from search_spaces.space import SearchSpace
from search_spaces.spec import StudentSpec

_STAND_IN = 2
"""Classes while the mutables are read, which is before the data are."""
_REMEMBERED = 16


def nni_space(*, factory: str, arguments: Mapping[str, object] | None = None) -> SearchSpace:
    """Make a space of the students of an NNI ``ModelSpace``.

    Args:
        factory: Import name ``package.module:name`` of a ``ModelSpace``, or of a function that returns one. Its
            students take inputs that are float and normalised already, and return the signature's outputs: logits for
            a classifier.
        arguments: Keyword arguments, as plain data. They are part of each student's name. ``num_classes`` follows from
            the data where the factory has a parameter of this name and ``arguments`` do not give it.

    Returns:
        The space ``nni``. A choice carries the label of its mutable.

    Raises:
        ValueError: The factory cannot be imported, does not take the arguments or makes no ``ModelSpace``; or what it
            leaves open cannot be chosen.
    """
    given = dict(arguments or {})
    try:
        written = json.dumps(given, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"arguments of {factory!r} must be plain data, as JSON can hold: {error}") from error
    reading = _reading(factory, written)
    return SearchSpace(
        name="nni",
        choices=reading.choices(),
        build=build_nni,
        constants={"factory": factory} | ({"arguments": given} if given else {}),
        forbids=partial(_forbidden, factory, written) if reading.has_rules else None,
    )


def build_nni(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Freeze the model space at the values of the spec.

    Raises:
        ValueError: They break a constraint of the space, or its code raises something.
    """
    factory, arguments = str(spec.constants["factory"]), spec.constants.get("arguments", {})
    assert isinstance(arguments, dict)
    make = partial(_model_space, factory, arguments, num_classes=signature.sole_output_shape[-1])
    space = make()
    reading = Reading(space)
    if broken := _broken(space, reading, spec.values):
        raise ValueError(broken)
    sample = reading.sample(spec.values)
    try:
        try:
            student = space.freeze(sample)
        except NotImplementedError:
            # Of a module that holds mutables of its own: it is made again, with all of them settled.
            from nni.nas.space import model_context

            with model_context(sample):
                student = make()
    except Exception as error:  # It is the user's code.
        raise ValueError(
            f"model space {factory!r} cannot be frozen at {dict(spec.values)}: {type(error).__name__}: {error}"
        ) from error
    assert isinstance(student, nn.Module)
    return student


@lru_cache(maxsize=_REMEMBERED)
def _made_once(factory: str, written: str) -> tuple[Any, Reading]:
    """Make a model space to look at, and read its mutables."""
    arguments = json.loads(written)
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):  # No memory for weights that nobody uses.
                space = _model_space(factory, arguments, num_classes=_STAND_IN)
        except Exception:
            space = _model_space(factory, arguments, num_classes=_STAND_IN)
    try:
        return space, Reading(space)
    except ValueError as error:
        raise ValueError(f"model space {factory!r}: {error}") from error


def _reading(factory: str, written: str) -> Reading:
    return _made_once(factory, written)[1]


def _forbidden(factory: str, written: str, values: Values) -> str:
    return _broken(*_made_once(factory, written), values)


def _broken(space: Any, reading: Reading, values: Values) -> str:
    """Say which constraint a point breaks; empty where it breaks none."""
    try:
        space.validate(reading.sample(values))
    except ValueError as error:  # NNI's own errors of samples are ValueErrors.
        shown = {name: value for name, value in values.items() if name in reading.names}
        return f"{shown} is no point of the model space: {error}"
    return ""


def _model_space(factory: str, arguments: Mapping[str, object], *, num_classes: int) -> Any:
    """Call the factory.

    Raises:
        ValueError: It does not take the arguments, raises something, or returns something else.
    """
    import_nni()  # Before the user's module does.
    layers = import_layers()
    make = import_object(factory)
    if not callable(make):
        raise ValueError(f"factory {factory!r} must be an NNI ModelSpace or a function, it is a {type(make).__name__}")
    if inspect.isclass(make) and not issubclass(make, layers.ModelSpace):
        raise ValueError(f"{factory!r} is a class that is no nni.nas.nn.pytorch.ModelSpace; {_remedy(make)}")
    given = dict(arguments)
    if (asked := _parameters(make)) is not None:
        if "num_classes" in asked.parameters:
            given = {"num_classes": num_classes} | given
        try:
            asked.bind(**given)
        except TypeError as error:
            known = ", ".join(sorted(asked.parameters)) or "none"
            raise ValueError(
                f"{factory!r} cannot be called with arguments {dict(arguments)}: {error}; its parameters are {known}"
            ) from error
    try:
        made = make(**given)
    except Exception as error:  # It is the user's code.
        raise ValueError(
            f"factory {factory!r}, called with arguments {dict(arguments)}, raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, layers.ModelSpace):
        kind = type(made)
        raise ValueError(
            f"factory {factory!r} must return an nni.nas.nn.pytorch.ModelSpace, it returned a {kind.__name__}; "
            f"{_remedy(kind)}"
        )
    return made


def _remedy(kind: type) -> str:
    if issubclass(kind, nn.Module):
        return "a module without mutables is one student: write `space: factory`"
    return "give the import name of a ModelSpace, or of a function that returns one"


def _parameters(make: Callable[..., Any]) -> inspect.Signature | None:
    """Give the parameters; None where Python cannot tell."""
    # NNI wraps the initialiser of a ModelSpace in one that takes anything, and keeps the user's.
    own = getattr(make, "_init_wrapped", None) if inspect.isclass(make) else None
    try:
        found = inspect.signature(make if own is None else own)
    except (TypeError, ValueError):
        return None
    return found if own is None else found.replace(parameters=list(found.parameters.values())[1:])
