"""Points of a space as rows of numbers, for models that learn from them.

Shape letters: P = points, F = columns of an encoded point.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.choices import Categorical, Choice, Values
from search_spaces.scales import position


def encode(choices: tuple[Choice, ...], points: Sequence[Values]) -> NDArray[np.float64]:
    """Turn points into rows of numbers, equally many for all points of the space.

    The columns stand in the order of the choices (``encoding_columns`` names them): for a conditional choice first
    whether it is active, 1 or 0; then for an option one column each, 1 where it is chosen; for a number one column
    from 0 at ``low`` to 1 at ``high``, by logarithm where the domain is logarithmic. Inactive choices hold 0.

    Args:
        choices: Of the space.
        points: Of the space, each with its active choices and no others.

    Returns:
        ``encoded_PF``, each within [0, 1]; different points of finite domains differ in it.
    """
    encoded_PF = np.zeros((len(points), len(encoding_columns(choices))))
    start = 0
    for choice in choices:
        rows = [row for row, values in enumerate(points) if choice.name in values]
        if choice.when is not None:
            encoded_PF[rows, start] = 1.0
            start += 1
        if isinstance(choice.domain, Categorical):
            # By type, too: True is not 1 here, though Python says that they are equal.
            column = {(type(option), option): start + place for place, option in enumerate(choice.domain.options)}
            chosen = [points[row][choice.name] for row in rows]
            encoded_PF[rows, [column[type(value), value] for value in chosen]] = 1.0
            start += len(choice.domain.options)
        else:
            encoded_PF[rows, start] = [position(choice.domain, points[row][choice.name]) for row in rows]
            start += 1
    return encoded_PF


def encoding_columns(choices: tuple[Choice, ...]) -> tuple[str, ...]:
    """Name the columns of ``encode``: ``name?`` is the activity of a choice, ``name=option`` an option of it."""
    return tuple(column for choice in choices for column in columns_of(choice))


def columns_of(choice: Choice) -> Iterator[str]:
    """Name the columns of one choice."""
    if choice.when is not None:
        yield f"{choice.name}?"
    if isinstance(choice.domain, Categorical):
        yield from (f"{choice.name}={option}" for option in choice.domain.options)
    else:
        yield choice.name
