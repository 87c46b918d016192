"""From what a file holds as labels to numbers of classes."""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


def no_labels(num_rows: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Give what ``encode_labels`` would of rows that have no label, as documents have none."""
    return np.full(num_rows, MISSING_LABEL, dtype=np.int64), ()


def encode_labels(
    values: Sequence[object], class_names: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the classes.

    Without ``class_names``, each value is a class of its own, in sorted order (whole numbers by their size). With
    them, values are names; where they are whole numbers and not all of them are names, they are positions from 0.

    Args:
        values: Label of each row: a string, a whole number or a truth value; None, NaN or an empty string where there
            is none.
        class_names: Names of the classes in the order of their numbers; a class may be without rows.

    Returns:
        Labels (N,), ``MISSING_LABEL`` where there is none, and the names of the classes.

    Raises:
        ValueError: No row has a label, or a value is no label or none of the classes.
    """
    names = [_name(value) for value in values]
    found = sorted({name for name in names if name is not None})
    if not found:
        raise ValueError("no row has a label; expected at least one labelled row a class")
    whole = all(_WHOLE_NUMBER.fullmatch(name) for name in found)
    if class_names is None:
        class_names = sorted(found, key=int) if whole else found
    numbers = {name: number for number, name in enumerate(class_names)}
    if not set(found) <= set(numbers) and whole:
        numbers = {name: int(name) for name in found}
        if outside := [name for name in found if not 0 <= int(name) < len(class_names)]:
            raise ValueError(
                f"labels {', '.join(map(str, outside[:10]))} are no positions in the {len(class_names)} class names; "
                "they count from 0"
            )
    if unknown := [name for name in found if name not in numbers]:
        raise ValueError(
            f"labels {', '.join(map(str, unknown[:10]))} are none of the class names {', '.join(sorted(class_names))}"
        )
    labels = [MISSING_LABEL if name is None else numbers[name] for name in names]
    return np.array(labels, dtype=np.int64), tuple(class_names)


def _name(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if not value.is_integer():
            raise ValueError(f"a label must be a name or a whole number, got {value}")
        return str(int(value))
    if value is None or isinstance(value, int):  # truth values are integers too, and keep their names
        return None if value is None else str(value)
    raise ValueError(f"a label must be a name or a whole number, got {value!r} of type {type(value).__name__}")
