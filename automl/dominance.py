"""Which of several points come first when nothing weighs one objective against another.

Shape letters: N = points, D = objectives.
"""

import moocore
import numpy as np
from numpy.typing import NDArray


def pareto_ranks(loss_ND: NDArray[np.float64]) -> NDArray[np.intp]:
    """Sort points into fronts (Deb et al., 2002, section III-A).

    https://doi.org/10.1109/4235.996017

    Args:
        loss_ND: Finite, to be minimised.

    Returns:
        ``rank_N``: 0 where no point beats this one, 1 where only points of rank 0 do, and so on; equal points share it.
    """
    if not len(loss_ND):
        return np.zeros(0, dtype=np.intp)
    return np.asarray(moocore.pareto_rank(loss_ND), dtype=np.intp)


def crowding(loss_ND: NDArray[np.float64], rank_N: NDArray[np.intp]) -> NDArray[np.float64]:
    """Measure how far from each point its neighbours on its own front stand (Deb et al., 2002, section III-B).

    Args:
        loss_ND: Finite.
        rank_N: As ``pareto_ranks`` gives it.

    Returns:
        ``distance_N``: over the objectives, the sum of the gap between the two neighbours as a share of the front's
        range; infinite at both ends of an objective. More is lonelier, and better.
    """
    distance_N = np.zeros(len(loss_ND))
    for rank in np.unique(rank_N):
        front = np.flatnonzero(rank_N == rank)
        for loss_F in loss_ND[front].T:
            order = np.argsort(loss_F, kind="stable")
            ordered, sorted_F = front[order], loss_F[order]
            distance_N[ordered[[0, -1]]] = np.inf
            # A front that does not differ in an objective is not spread out by it.
            if (spread := sorted_F[-1] - sorted_F[0]) > 0:
                distance_N[ordered[1:-1]] += (sorted_F[2:] - sorted_F[:-2]) / spread
    return distance_N
