"""How well scores of untrained students foretold what became of them.

Shape letters: N = students, R = resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

RESAMPLES = 1000
CONFIDENCE = 0.95
FEWEST = 20
"""Students from which on a score is judged."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How the order by a score agrees with the order by what was trained.

    Args:
        name: Of the score.
        students: Those that have it.
        correlation: Spearman's, -1 to 1.
        low: Lower end of its 95 % interval by bootstrap over the students.
        high: Upper end.
        lead: By how much it exceeds the correlation of the baseline, over the same students.
        lead_low: Lower end of the 95 % interval of that, both correlations being of the same resamples.
        lead_high: Upper end.
    """

    name: str
    students: int
    correlation: float
    low: float
    high: float
    lead: float
    lead_low: float
    lead_high: float

    @property
    def leads(self) -> bool:
        """Whether it is shown to beat the baseline: the whole interval lies above 0."""
        return self.lead_low > 0


def agreements(
    scores: Mapping[str, Array], quality_N: Array, *, baseline: str, resamples: int = RESAMPLES
) -> list[Agreement]:
    """Judge scores by bootstrap (Efron, 1979): percentiles over resamples of the students.

    Args:
        scores: Of each student, by name, each ``score_N``; NaN where a student has none. Among them the baseline.
        quality_N: What became of each once it was trained; higher is better.
        baseline: Name of the score to beat.
        resamples: Of the bootstrap.

    Returns:
        One a score, in their order; without those that fewer than three students have.
    """
    found = []
    for name, score_N in scores.items():
        both = np.isfinite(score_N) & np.isfinite(scores[baseline]) & np.isfinite(quality_N)
        count = int(both.sum())
        if count < 3:
            continue
        rows = np.random.default_rng(0).integers(count, size=(resamples, count))
        every = np.arange(count)[None]
        of_score, of_baseline = (
            np.concatenate([spearman(of[both][chosen], quality_N[both][chosen]) for chosen in (every, rows)])
            for of in (score_N, scores[baseline])
        )
        lead = of_score - of_baseline
        ends = [50 * (1 - CONFIDENCE), 100 - 50 * (1 - CONFIDENCE)]
        low, high = np.percentile(of_score[1:], ends)
        lead_low, lead_high = np.percentile(lead[1:], ends)
        found.append(
            Agreement(
                name=name,
                students=count,
                correlation=float(of_score[0]),
                low=float(low),
                high=float(high),
                lead=float(lead[0]),
                lead_low=float(lead_low),
                lead_high=float(lead_high),
            )
        )
    return found


def spearman(one_RN: Array, other_RN: Array) -> Array:
    """Give Spearman's rank correlation of each row; 0 where a row does not vary, as it then says nothing."""
    ranks = [rankdata(values, axis=1) for values in (one_RN, other_RN)]
    first_RN, second_RN = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    scale_R = np.sqrt((first_RN**2).sum(axis=1) * (second_RN**2).sum(axis=1))
    return np.asarray((first_RN * second_RN).sum(axis=1) / np.where(scale_R > 0, scale_R, 1.0))
