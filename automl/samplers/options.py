"""Types of a sampler's options, told before a search begins: a config may hold any value."""

import math


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
