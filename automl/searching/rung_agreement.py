"""How well the order of trials at a rung foretold the order in which they ended.

Shape letters: N = trials that came to the rung and to the end, D = objectives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from automl.front.objectives import Objective, to_losses
from automl.front.ranking import places
from automl.run import FinishedTrial
from trials.records import METRICS_OF_COST, Outcome

FEWEST = 3
"""Trials that two orders are compared over; of two, they agree or not."""


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Rank correlations of two orders, from -1 to 1.

    Args:
        spearman: ρ: the correlation of the ranks.
        kendall: τ-b: pairs in the same order less pairs in the other, as a share.
    """

    spearman: float
    kendall: float


@dataclass(frozen=True, kw_only=True)
class RungAgreement:
    """What came of a rung.

    Args:
        rung: Its name: its epoch in the longest recipe.
        num_reached: Trials that came to it.
        num_stopped: Of these, those that ended there.
        num_compared: Of these, those that were trained to the end, over which orders are compared.
        standing: Of the places by all objectives, as halving ranks; None where too few were compared, or all tie.
        quality: Of the task's metric alone.
    """

    rung: int
    num_reached: int
    num_stopped: int
    num_compared: int
    standing: Correlation | None
    quality: Correlation | None


def rung_agreements(
    trials: Sequence[FinishedTrial], objectives: Sequence[Objective], metric: str
) -> list[RungAgreement]:
    """Compare each rung with the end.

    Args:
        trials: Those that ended.
        objectives: By which halving ranked them.
        metric: Of the task, for the comparison by quality.

    Returns:
        One a rung, the first rung first; none where no trial came to any.
    """
    found = []
    for rung in sorted({record.rung for finished in trials for record in finished.rungs}):
        pairs = [(finished, record) for finished in trials for record in finished.rungs if record.rung == rung]
        ended = [pair for pair in pairs if pair[0].result.outcome is Outcome.TRAINED]
        then = [record.candidate.metrics for _, record in ended]
        last = [finished.result.candidates[0].metrics for finished, _ in ended]
        by_place = [places(to_losses(metrics, objectives)) for metrics in (then, last)]
        quality = [np.array([each.get(metric, np.nan) for each in metrics]) for metrics in (then, last)]
        found.append(
            RungAgreement(
                rung=rung,
                num_reached=len(pairs),
                num_stopped=sum(not record.goes_on for _, record in pairs),
                num_compared=len(ended),
                standing=_correlation(*by_place),
                quality=None if metric in METRICS_OF_COST else _correlation(*quality),
            )
        )
    return found


def _correlation(first_N: NDArray[np.generic], second_N: NDArray[np.generic]) -> Correlation | None:
    if len(first_N) < FEWEST or not (np.ptp(first_N) > 0 and np.ptp(second_N) > 0):
        return None
    return Correlation(
        spearman=float(stats.spearmanr(first_N, second_N).statistic),
        kendall=float(stats.kendalltau(first_N, second_N).statistic),
    )
