"""The order of points by several objectives: by non-dominated rank, then by crowding distance (NSGA-II).

Shape letters: N = points, D = objectives, F = points of one rank, U = different points of one rank.
"""

import moocore
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def places(loss_ND: Array) -> NDArray[np.int64]:
    """Place points by the crowded-comparison order (Deb et al., 2002, section III B).

    https://doi.org/10.1109/4235.996017

    Args:
        loss_ND: Lower is better. A point with a loss that is not finite comes after all others.

    Returns:
        ``place_N``: how many points come before each; equal ones share a place.
    """
    finite_N = np.isfinite(loss_ND).all(axis=1)
    place_N = np.full(len(loss_ND), finite_N.sum())
    if not finite_N.any():
        return place_N
    found_FD = loss_ND[finite_N]
    rank_F = np.asarray(moocore.pareto_rank(found_FD))
    crowding_F = np.zeros(len(found_FD))
    for rank in np.unique(rank_F):
        crowding_F[rank_F == rank] = crowding(found_FD[rank_F == rank])
    ahead_FF = rank_F[None] < rank_F[:, None]
    ahead_FF |= (rank_F[None] == rank_F[:, None]) & (crowding_F[None] > crowding_F[:, None])
    place_N[finite_N] = ahead_FF.sum(axis=1)
    return place_N


def crowding(loss_FD: Array) -> Array:
    """Say how far the neighbours of each point are, added up over the objectives (Deb et al., 2002, section III B).

    Unlike there, points that are equal count as one and share its distance: which of them comes first would else decide
    by chance.

    Args:
        loss_FD: Finite; no point dominates another.

    Returns:
        ``distance_F``, infinite for those at either end of an objective.
    """
    loss_UD, where_F = np.unique(loss_FD, axis=0, return_inverse=True)
    distance_U = np.zeros(len(loss_UD))
    for loss_U in loss_UD.T:
        order_U = np.argsort(loss_U, kind="stable")
        sorted_U = loss_U[order_U]
        spread = sorted_U[-1] - sorted_U[0]
        if spread > 0:
            distance_U[order_U[1:-1]] += (sorted_U[2:] - sorted_U[:-2]) / spread
        distance_U[(loss_U == sorted_U[0]) | (loss_U == sorted_U[-1])] = np.inf
    return distance_U[where_F.reshape(-1)]
