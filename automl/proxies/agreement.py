"""How well scores of untrained students foretold what became of them.

Shape letters: N = students, R = resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

BASELINE = "params"
"""The score that any other has to beat."""
FEWEST = 3
"""Students over which an order is compared."""
_RESAMPLES = 1000
_ENDS = (2.5, 97.5)
"""Of an interval, as percentiles."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure, and where 95 % of the resamples lie.

    Args:
        value: Over all students.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How the order by a score agrees with the order by what was trained.

    Args:
        name: Of the score.
        students: Those that have it.
        correlation: Spearman's rank correlation, -1 to 1.
        lead: By how much it exceeds that of the number of parameters, over the same students.
        partial: The rank correlation that is left among students of one number of parameters.
    """

    name: str
    students: int
    correlation: Interval
    lead: Interval
    partial: Interval

    @property
    def leads(self) -> bool:
        """Whether it is shown to beat the number of parameters, and to be no sign of the worse ones."""
        return self.lead.low > 0 and self.correlation.low > 0


def agreements(scores: Mapping[str, Array], quality_N: Array) -> list[Agreement]:
    """Judge scores, with intervals by bootstrap over the students (Efron, 1979), the same ones for all.

    Args:
        scores: Of each student, by name, each ``score_N``; NaN where a student has none. The baseline is among them.
        quality_N: What became of each once it was trained; higher is better.

    Returns:
        One a score, in their order, without those that fewer than three students have.
    """
    found = []
    for name, score_N in scores.items():
        both = np.isfinite(score_N) & np.isfinite(scores[BASELINE]) & np.isfinite(quality_N)
        count = int(both.sum())
        if count < FEWEST:
            continue
        drawn_RN = np.random.default_rng(0).integers(count, size=(_RESAMPLES, count))
        chosen_RN = np.concatenate([np.arange(count)[None], drawn_RN])  # The first is all of them, each once.
        ranks = [_centred_ranks(of[both][chosen_RN]) for of in (score_N, scores[BASELINE], quality_N)]
        with_quality_R, baseline_R = _correlation(ranks[0], ranks[2]), _correlation(ranks[1], ranks[2])
        partial_R = partial(with_quality_R, _correlation(ranks[0], ranks[1]), baseline_R)
        found.append(
            Agreement(
                name=name,
                students=count,
                correlation=_interval(with_quality_R),
                lead=_interval(with_quality_R - baseline_R),
                partial=_interval(partial_R),
            )
        )
    return found


def spearman(one_RN: Array, other_RN: Array) -> Array:
    """Give Spearman's rank correlation of each row; 0 where a row does not vary, as it then says nothing."""
    return _correlation(_centred_ranks(one_RN), _centred_ranks(other_RN))


def partial(one_R: Array, between_R: Array, other_R: Array) -> Array:
    """Give the correlation of a score with the quality that a third thing does not explain.

    Args:
        one_R: Correlation of the score with the quality.
        between_R: Of the score with the third thing.
        other_R: Of the third thing with the quality.

    Returns:
        ``partial_R``; 0 where the third thing explains either of them wholly.
    """
    left_R = (1 - between_R**2) * (1 - other_R**2)
    told = left_R > 1e-9
    return np.where(told, (one_R - between_R * other_R) / np.sqrt(np.where(told, left_R, 1.0)), 0.0)


def _centred_ranks(values_RN: Array) -> Array:
    rank_RN = np.asarray(rankdata(values_RN, axis=1), dtype=np.float64)
    return np.asarray(rank_RN - rank_RN.mean(axis=1, keepdims=True))


def _correlation(one_RN: Array, other_RN: Array) -> Array:
    scale_R = np.sqrt((one_RN**2).sum(axis=1) * (other_RN**2).sum(axis=1))
    return np.asarray((one_RN * other_RN).sum(axis=1) / np.where(scale_R > 0, scale_R, 1.0))


def _interval(value_R: Array) -> Interval:
    low, high = np.percentile(value_R[1:], _ENDS)
    return Interval(value=float(value_R[0]), low=float(low), high=float(high))
