"""Mistakes in a sampler's options, told before a search begins: a config may hold any value."""

import math
import re
from collections.abc import Container


def require_whole(**options: object) -> None:
    """Refuse options that are no whole numbers.

    Raises:
        ValueError: One is none; the message names it.
    """
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} must be a whole number, got {value!r}")


def require_number(**options: object) -> None:
    """Refuse options that are no finite numbers.

    Raises:
        ValueError: One is none; the message names it.
    """
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} must be a number, got {value!r}")


def told(error: Exception, options: Container[str]) -> str:
    """Say in words of the config what Python says of an option that a function does not take.

    Args:
        error: As it was raised.
        options: Names of those that the config gives.

    Returns:
        The text of the error where it is about something else.
    """
    text = str(error)
    unknown = re.search(r"unexpected keyword argument '(\w+)'", text)
    if unknown and unknown[1] in options:
        return f"it takes no option {unknown[1]!r}"
    twice = re.search(r"multiple values for (?:keyword )?argument '(\w+)'", text)
    if twice and twice[1] in options:
        return f"{twice[1]!r} is none of its options: the search gives it"
    return text
