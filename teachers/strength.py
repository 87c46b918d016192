"""How good a teacher is, and where.

Shape letters: N = rows, C = classes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from teachers.outputs import MISSING_LABEL
from teachers.teacher import Coverage


@dataclass(frozen=True, kw_only=True)
class Strength:
    """Accuracy of a teacher, from 0 to 1; NaN where there is no labelled row.

    Args:
        home: On the rows and labels that it covers.
        abroad: On all other labelled rows; NaN where it covers everything.
        home_rows: Number of rows behind ``home``.
        abroad_rows: Number of rows behind ``abroad``.
        by_class: On the rows of each class, by the class's name.
        by_home: On the rows and labels that each teacher covers, by the teacher's name; NaN where there are none.
    """

    home: float
    abroad: float
    home_rows: int
    abroad_rows: int
    by_class: Mapping[str, float]
    by_home: Mapping[str, float] = field(default_factory=dict)


def teacher_strength(
    logits: NDArray[np.floating],
    labels_N: NDArray[np.int64],
    *,
    coverage: Coverage,
    class_names: tuple[str, ...],
    columns: Mapping[str, NDArray[np.generic]],
    homes: Mapping[str, Coverage] | None = None,
) -> Strength:
    """Measure where a teacher is right.

    A row whose label it covers is judged by the columns of those labels alone, as the ensemble hears it; any other row
    by all the columns that it gives. Where these are equal, it guesses, and counts by its chance to be right.

    Zeros that fill up columns of unknown classes must not be among them: give what ``read_logits`` gives, or the
    columns of covered labels alone.

    Args:
        logits: (N, C), or (N, labels it covers) in the order of ``Coverage.labels``.
        labels_N: ``MISSING_LABEL`` where nobody knows; such rows do not count.
        coverage: What the teacher covers.
        class_names: Of the data, in the order of their numbers.
        columns: Of the data, each (N,), which coverages may name.
        homes: What each teacher of an ensemble covers, by its name, to see this one at home with each of them.

    Raises:
        ValueError: The coverage does not fit the columns, or the logits have another width.
    """
    num_classes = len(class_names)
    covered = np.arange(num_classes) if coverage.labels is None else np.array(coverage.labels)
    given = covered if logits.shape[1] == len(covered) else np.arange(num_classes)
    if logits.shape[1] != len(given):
        raise ValueError(f"logits have {logits.shape[1]} columns, expected {num_classes} or {len(covered)}")
    labelled_N = labels_N != MISSING_LABEL
    known_N = np.isin(labels_N, covered)
    home_N = _home(labels_N, coverage, columns)
    heard = np.where(np.isin(given, covered), logits, -np.inf)
    correct_N = np.where(
        known_N,
        _right(heard, given, labels_N, num_meant=len(covered)),
        _right(logits, given, labels_N, num_meant=len(given)),
    )
    abroad_N = labelled_N & ~home_N
    return Strength(
        home=_mean(correct_N, home_N),
        abroad=_mean(correct_N, abroad_N),
        home_rows=int(home_N.sum()),
        abroad_rows=int(abroad_N.sum()),
        by_class={name: _mean(correct_N, labels_N == label) for label, name in enumerate(class_names)},
        by_home={name: _mean(correct_N, _home(labels_N, other, columns)) for name, other in (homes or {}).items()},
    )


def _right(
    logits: NDArray[np.floating], given: NDArray[np.int64], labels_N: NDArray[np.int64], *, num_meant: int
) -> NDArray[np.float64]:
    """Tell where the largest logit is the label's; where all are equal, how likely a guess would be right (N,)."""
    finite = np.where(np.isfinite(logits), logits, np.nan)
    guess_N = np.nanmax(finite, axis=1) == np.nanmin(finite, axis=1)
    right_N = given[logits.argmax(axis=1)] == labels_N
    return np.where(guess_N & (num_meant > 1), np.isin(labels_N, given) / num_meant, right_N)


def _home(
    labels_N: NDArray[np.int64], coverage: Coverage, columns: Mapping[str, NDArray[np.generic]]
) -> NDArray[np.bool_]:
    home_N: NDArray[np.bool_] = (labels_N != MISSING_LABEL) & coverage.rows_of_some(len(labels_N), columns)
    return home_N if coverage.labels is None else home_N & np.isin(labels_N, coverage.labels)


def _mean(correct_N: NDArray[np.float64], rows_N: NDArray[np.bool_]) -> float:
    return float(correct_N[rows_N].mean()) if rows_N.any() else math.nan
