"""Expected gain in hypervolume, exact for objectives that are known or independently uncertain.

The space that no point dominates yet is cut into boxes. Within a box the gain is a product over objectives, and its
expectation is the product of expectations where the objectives are independent (Yang et al., 2019,
https://doi.org/10.1007/s10898-019-00798-7). Of one objective it is the integral of the probability to lie below each
level of the box, which any distribution answers, a warped one too.

Shape letters: F = points of a front, C = candidates, D = objectives, B = boxes, E = edges of boxes in one objective.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_FINE = 48
"""Levels between the lowest and the highest edge at which a probability is looked up, beside the edges."""

Array = NDArray[np.float64]


class Marginal(Protocol):
    """What is believed of one objective of each candidate."""

    def below(self, levels_E: Array) -> Array:
        """Give the probability that each candidate's loss lies below each level, shape (C, E)."""
        ...


def free_boxes(losses_FD: Array, *, low_D: Array) -> tuple[Array, Array]:
    """Cut the space below 1 in each objective that no point dominates into boxes.

    Local upper bounds are kept while points are added one by one (Klamroth, Lacour and Vanderpooten, 2015,
    https://doi.org/10.1016/j.ejor.2015.03.031); each bounds one box (Lacour, Klamroth and Fonseca, 2017,
    https://doi.org/10.1016/j.cor.2016.06.010).

    Args:
        losses_FD: Points; those at 1 or above in some objective dominate nothing and are passed over.
        low_D: Where the space ends below.

    Returns:
        Lower and upper corners, each of shape (B, D); disjoint, and together the whole space that is free.
    """
    num_objectives = len(low_D)
    inside_FD = np.maximum(losses_FD[(losses_FD < 1).all(axis=1)], low_D)
    upper_BD = np.ones((1, num_objectives))
    # point_BJD[b, j] is the point that bounds box b in objective j; at first the edges of the space do.
    point_BJD = np.full((1, num_objectives, num_objectives), -np.inf)
    point_BJD[0, range(num_objectives), range(num_objectives)] = 1.0
    for point_D in inside_FD[np.argsort(inside_FD[:, -1], kind="stable")]:
        hit_B = (point_D < upper_BD).all(axis=1)
        uppers, points = [upper_BD[~hit_B]], [point_BJD[~hit_B]]
        for j in range(num_objectives):
            others = [k for k in range(num_objectives) if k != j]
            stays_B = point_D[j] >= point_BJD[hit_B][:, others, j].max(axis=1, initial=-np.inf)
            child_BD, child_BJD = upper_BD[hit_B][stays_B], point_BJD[hit_B][stays_B]
            child_BD[:, j], child_BJD[:, j] = point_D[j], point_D
            uppers.append(child_BD)
            points.append(child_BJD)
        upper_BD, point_BJD = np.concatenate(uppers), np.concatenate(points)
    lower_BD = np.repeat(low_D[None], len(upper_BD), axis=0)
    for d in range(1, num_objectives):
        lower_BD[:, d] = np.maximum(point_BJD[:, :d, d].max(axis=1), low_D[d])
    solid_B = (lower_BD < upper_BD).all(axis=1)
    return lower_BD[solid_B], upper_BD[solid_B]


def expected_gain(marginals: Sequence[Array | Marginal], boxes: tuple[Array, Array]) -> Array:
    """Give the hypervolume that each candidate is expected to add to a front.

    Args:
        marginals: One an objective: losses of shape (C,) where they are known, else what is believed of them.
        boxes: That no member of the front dominates, as ``free_boxes`` gives them.

    Returns:
        ``gain_C``, at least 0.
    """
    lower_BD, upper_BD = boxes
    gain_CB: Array | None = None
    for d, marginal in enumerate(marginals):
        edge_E, place = np.unique(np.concatenate([lower_BD[:, d], upper_BD[:, d]]), return_inverse=True)
        reached_CE = _reached(marginal, edge_E)
        within_CB = reached_CE[:, place[len(lower_BD) :]] - reached_CE[:, place[: len(lower_BD)]]
        gain_CB = within_CB if gain_CB is None else gain_CB * within_CB
    assert gain_CB is not None
    return np.asarray(gain_CB.sum(axis=1), dtype=np.float64)


def _reached(marginal: Array | Marginal, edge_E: Array) -> Array:
    """Integrate the probability to lie below a level from the lowest edge up to each edge, shape (C, E)."""
    if not len(edge_E):
        num_candidates = len(marginal) if isinstance(marginal, np.ndarray) else len(marginal.below(np.zeros(1)))
        return np.zeros((num_candidates, 0))
    if isinstance(marginal, np.ndarray):
        return np.asarray(np.maximum(edge_E - np.maximum(marginal, edge_E[0])[:, None], 0.0), dtype=np.float64)
    levels = np.unique(np.concatenate([edge_E, np.linspace(edge_E[0], edge_E[-1], _FINE)]))
    below = marginal.below(levels)
    areas = np.diff(levels) * (below[:, 1:] + below[:, :-1]) / 2
    sums = np.concatenate([np.zeros((len(below), 1)), np.cumsum(areas, axis=1)], axis=1)
    return np.asarray(sums[:, np.searchsorted(levels, edge_E)], dtype=np.float64)
