"""A student that a function of the user's builds."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from search_spaces.imports import import_object
from search_spaces.signature import ModelSignature
from search_spaces.space import SearchSpace
from search_spaces.spec import StudentSpec


def factory(*, factory: str, arguments: Mapping[str, object] | None = None) -> SearchSpace:
    """Make a space of one student: the module that a function returns.

    The function is called with ``arguments``. Where it has a parameter ``num_classes`` or ``signature``, it also gets
    the length of the output, or the whole ``ModelSignature``, unless ``arguments`` give it.

    Args:
        factory: Import name ``package.module:name`` of the function. Its module takes inputs that are float and
            normalised already, and returns the signature's outputs: logits for a classifier.
        arguments: Keyword arguments, as plain data. They are part of the student's name.

    Returns:
        The space ``factory``, without choices.

    Raises:
        ValueError: The function cannot be imported, or does not take the arguments.
    """
    given = dict(arguments or {})
    make = _function(factory)
    if asked := _parameters(make):
        try:
            asked.bind(**_offered(asked, given))
        except TypeError as error:
            known = sorted(asked.parameters)
            raise ValueError(
                f"{factory!r} cannot be called with arguments {given}: {error}; its parameters are {', '.join(known)}"
            ) from error
    return SearchSpace(
        name="factory",
        choices=(),
        build=build_by_factory,
        constants={"factory": factory} | ({"arguments": given} if given else {}),
    )


def build_by_factory(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Call the function that the spec names.

    Raises:
        ValueError: It raises something, or returns no module.
    """
    name, arguments = str(spec.constants["factory"]), spec.constants.get("arguments", {})
    assert isinstance(arguments, dict)
    make = _function(name)
    asked = _parameters(make)
    try:
        model = make(**({} if asked is None else _offered(asked, {}, signature)) | arguments)
    except Exception as error:  # It is the user's code.
        raise ValueError(
            f"factory {name!r}, called with arguments {arguments}, raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, nn.Module):
        raise ValueError(f"factory {name!r} must return a torch.nn.Module, it returned {type(model).__name__}")
    return model


def _function(name: str) -> Callable[..., Any]:
    found = import_object(name)
    if not callable(found):
        raise ValueError(f"factory {name!r} must be a function, it is a {type(found).__name__}")
    return found


def _parameters(function: Callable[..., Any]) -> inspect.Signature | None:
    """Give the parameters; None where Python cannot tell, as of functions written in C."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _offered(
    asked: inspect.Signature, given: Mapping[str, object], signature: ModelSignature | None = None
) -> dict[str, object]:
    """Add to the arguments what the function asks for by name."""
    offers: dict[str, object] = {"signature": signature, "num_classes": None}
    if signature is not None and "num_classes" in asked.parameters:
        (offers["num_classes"],) = signature.sole_output_shape
    return {name: offer for name, offer in offers.items() if name in asked.parameters} | dict(given)
