"""Data that a function of the user's makes."""

import inspect
from collections.abc import Mapping

from search_spaces.imports import import_object
from trials.data.raw import RawData


def read_factory(*, factory: str, options: Mapping[str, object] | None = None) -> RawData:
    """Call a function of the user's.

    Args:
        factory: ``package.module:name`` of a function that returns ``RawData``.
        options: Its keyword arguments.

    Raises:
        ValueError: It cannot be imported, does not take the options, raises, or returns something else.
    """
    function = import_object(factory)
    if not callable(function):
        raise ValueError(f"{factory!r} is a {type(function).__name__}, expected a function that returns RawData")
    options = options or {}
    signature = inspect.signature(function)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise ValueError(
            f"{factory!r} takes {signature}, got options {', '.join(sorted(options)) or 'none'}: {error}"
        ) from error
    try:
        raw = function(**options)
    except Exception as error:
        raise ValueError(f"{factory!r} raised {type(error).__name__}: {error}") from error
    if not isinstance(raw, RawData):
        raise ValueError(f"{factory!r} must return trials.data.RawData, got {type(raw).__name__}")
    return raw
