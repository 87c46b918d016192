"""What students showed at a rung, as one more thing to foretell the end by.

Shape letters: N = trials that ended, P = trials under way, C = candidates, X = columns.
"""

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from automl.samplers.pareto.belief import Kernels, milestone
from automl.samplers.pareto.features import Read
from automl.samplers.pareto.surrogate import Features, GaussianProcess
from automl.samplers.pareto.warp import RankWarp

Array = NDArray[np.float64]

FEWEST = 6
"""Trials at the rung that something is foretold from."""


class EarlyBelief:
    """Believes what any point would show at a rung, from all that came there, whether stopped or not.

    Its mean becomes a column, along which what training tells has a trend: recursive co-kriging, with the cheaper level
    as a feature of the dearer one (Perdikaris et al., 2017, https://doi.org/10.1098/rspa.2016.0751). Stopped students
    so teach what they know, and are not taken for ones that were trained to the end.

    Args:
        name: Of the metric.
        early: Losses at the rung, ``loss_N`` of trials that ended, of whom at least ``FEWEST`` came there, and
            ``loss_P`` of those under way; NaN of those that did not come there.
        seen: Where the first are.
        pending: Where the second are.
        kernels: Found before.
    """

    def __init__(
        self, name: Hashable, early: tuple[Array, Array], *, seen: Read, pending: Read, kernels: Kernels
    ) -> None:
        self._name, self._seen, self._kernels = name, seen, kernels
        self._loss_N, loss_P = early
        came_N, came_P = np.isfinite(self._loss_N), np.isfinite(loss_P)
        ended_NX, ended_N = seen.rows_PX[came_N], self._loss_N[came_N]
        kernel = kernels.get((name, "early"), ended_NX, lambda count: RankWarp(ended_N[:count])(ended_N[:count]))
        rows_NX = np.concatenate([ended_NX, pending.rows_PX[came_P]])
        shown_N = np.concatenate([ended_N, loss_P[came_P]])
        self._process = GaussianProcess(kernel, rows_NX, RankWarp(shown_N)(shown_N))
        columns = kernels.columns
        self.columns = Features(
            group_X=np.append(columns.group_X, columns.num_groups), trend_X=np.append(columns.trend_X, True)
        )
        """How the columns with the one more are to be read."""

    def read(self, points: Read) -> Read:
        """Add the column to points."""
        mean_C, _ = self._process.predict(points.rows_PX)
        return Read(rows_PX=np.concatenate([points.rows_PX, mean_C[:, None]], axis=1), costs=points.costs)

    def as_of(self, num_trials: int) -> Array:
        """Give the rows of the first trials that ended, with the column as it was when no more had."""
        rows_PX = self._seen.rows_PX[:num_trials]
        seen, pending = Read(rows_PX=rows_PX, costs={}), Read(rows_PX=rows_PX[:0], costs={})
        early = self._loss_N[:num_trials], np.zeros(0)
        name = self._name, "before"
        return EarlyBelief(name, early, seen=seen, pending=pending, kernels=self._kernels).read(seen).rows_PX


def early_belief(
    name: Hashable, early: tuple[Array, Array], last_N: Array, *, seen: Read, pending: Read, kernels: Kernels
) -> EarlyBelief | None:
    """Believe in a rung, if enough came there when hyperparameters were found last; arguments as ``EarlyBelief``'s.

    Args:
        name: Of the metric.
        early: Losses at the rung.
        last_N: Losses of trials that were trained to the end, NaN of others.
        seen: Where trials that ended are.
        pending: Where those under way are.
        kernels: Found before.
    """
    ended = np.flatnonzero(np.isfinite(last_N))
    until = ended[milestone(len(ended)) - 1] + 1 if len(ended) else 0
    if np.isfinite(early[0][:until]).sum() < FEWEST:
        return None
    return EarlyBelief(name, early, seen=seen, pending=pending, kernels=kernels)
