"""The shortest of all weighted means of some vectors: a small quadratic programme, solved exactly.

Shape letters: K = vectors.
"""

import numpy as np
from numpy.typing import NDArray

_RIDGE = 1e-10
"""Relative to the vectors' mean squared length; among weights that are equally good it picks the most even ones."""
_TOLERANCE = 1e-12


def smallest_combination(gram_KK: NDArray[np.float64], *, at_most: float) -> NDArray[np.float64]:
    """Minimise ½ αᵀ G α over Σ α_k = 1, 0 ≤ α_k ≤ ``at_most``, by a primal active-set method.

    Nocedal and Wright, 2006, algorithm 16.3. What enters or leaves the set is chosen by lowest position among equals,
    so that it cannot go round in circles.

    Args:
        gram_KK: Inner products of the vectors.
        at_most: At least 1 / K.

    Returns:
        ``weights_K``; even ones where all vectors are 0, or not finite, or where the bound leaves no others.
    """
    num = len(gram_KK)
    weights_K: NDArray[np.float64] = np.full(num, 1 / num)
    scale = float(np.trace(gram_KK)) / num
    if not 0 < scale < np.inf or at_most * num <= 1 + _TOLERANCE:
        return weights_K
    # Equal slopes, and a sum of 1: the last row and column are those of the multiplier of the sum.
    system = np.zeros((num + 1, num + 1))
    system[:num, :num] = gram_KK / scale + _RIDGE * np.eye(num)
    system[:num, num] = system[num, :num] = 1.0
    free = np.ones(num + 1, dtype=bool)
    for _ in range(100 * num):
        target_K, level = _minimum(system, weights_K, free)
        share, blocking = _longest_step(weights_K.tolist(), target_K.tolist(), at_most)
        weights_K = (weights_K + share * (target_K - weights_K)).clip(0.0, at_most)
        if blocking is not None and free.sum() > 2:
            weights_K[blocking] = 0.0 if target_K[blocking] < 0 else at_most
            free[blocking] = False
            continue
        # At 0 the slope must be at least that of the free ones, at the upper bound at most.
        excess_K = system[:num, :num] @ weights_K - level
        excess_K[weights_K < 0.5 * at_most] *= -1
        wrong = np.flatnonzero(~free[:num] & (excess_K > _TOLERANCE))
        if not len(wrong):
            break
        free[wrong[0]] = True
    else:
        raise AssertionError("the active-set method did not end")
    return weights_K


def _minimum(
    system: NDArray[np.float64], weights_K: NDArray[np.float64], free: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Find the best free weights while the others stay, and the slope that they then have in common."""
    num = len(weights_K)
    pinned = np.where(free[:, None], system, np.eye(num + 1))
    right = np.append(np.where(free[:num], 0.0, weights_K), 1.0)
    solution = np.linalg.solve(pinned, right)
    return solution[:num], -float(solution[num])


def _longest_step(weights: list[float], targets: list[float], at_most: float) -> tuple[float, int | None]:
    """Say how far one can go towards the targets, as a share of the way, and which weight then meets its bound."""
    share, blocking = 1.0, None
    for k, (weight, target) in enumerate(zip(weights, targets, strict=True)):
        if -_TOLERANCE <= target <= at_most + _TOLERANCE:
            continue
        reach = ((0.0 if target < 0 else at_most) - weight) / (target - weight)
        if reach < share:
            share, blocking = reach, k
    return share, blocking
