"""The name that was probably meant where an unknown one came."""

import difflib
from collections.abc import Collection

_SHORTEST = 3
"""Letters that the beginning of a name must have at least to stand for it."""


def near_name(name: str, known: Collection[str]) -> str | None:
    """Find the known name that is nearest: a slip of the keys, other capitals, or its beginning alone.

    Args:
        name: What came.
        known: What could have come.

    Returns:
        One of ``known``; None where none is near.
    """
    by_lower = {each.lower(): each for each in sorted(known, reverse=True)}
    if near := difflib.get_close_matches(name.lower(), list(by_lower), n=1):
        return by_lower[near[0]]
    longer = [each for lower, each in by_lower.items() if len(name) >= _SHORTEST and lower.startswith(name.lower())]
    return longer[0] if len(longer) == 1 else None


def and_known(name: str, known: Collection[str], there: str) -> str:
    """End a message about an unknown name: which one is near, and which there are.

    Args:
        name: What came.
        known: What could have come.
        there: Stands before the list: ``known:``, ``it has``.
    """
    near = near_name(name, known)
    hint = f", did you mean {near!r}?" if near is not None else ";"
    return f"{hint} {there} {', '.join(sorted(known)) or 'none'}"
