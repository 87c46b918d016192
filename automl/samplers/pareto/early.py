"""What students showed at a rung, as one more thing to foretell the end by.

Shape letters: N = trials that ended, P = trials under way, C = candidates, X = columns.
"""

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from automl.samplers.pareto.belief import Kernels
from automl.samplers.pareto.features import Read
from automl.samplers.pareto.surrogate import Features, GaussianProcess
from automl.samplers.pareto.warp import RankWarp

Array = NDArray[np.float64]

FEWEST = 6
"""Trials at the rung that something is foretold from."""


class EarlyBelief:
    """Believes what any point would show at the first rung, from all that came there, whether stopped or not.

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
        loss_N, pending_P = early
        came_N, came_P = np.isfinite(loss_N), np.isfinite(pending_P)
        ended_NX, ended_N = seen.rows_PX[came_N], loss_N[came_N]
        kernel = kernels.get((name, "early"), ended_NX, lambda count: RankWarp(ended_N[:count])(ended_N[:count]))
        rows_NX = np.concatenate([ended_NX, pending.rows_PX[came_P]])
        shown_N = np.concatenate([ended_N, pending_P[came_P]])
        self._process = GaussianProcess(kernel, rows_NX, RankWarp(shown_N)(shown_N))
        before = kernels.columns
        self.columns = Features(
            group_X=np.append(before.group_X, before.num_groups), trend_X=np.append(before.trend_X, True)
        )
        """How the columns with the one more are to be read."""

    def read(self, points: Read) -> Read:
        """Add the column to points."""
        mean_C, _ = self._process.predict(points.rows_PX)
        return Read(rows_PX=np.concatenate([points.rows_PX, mean_C[:, None]], axis=1), costs=points.costs)
