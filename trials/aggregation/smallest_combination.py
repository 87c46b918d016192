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
        ``weights_K``; even ones where all vectors are 0, or not finite.
    """
    num = len(gram_KK)
    weights_K: NDArray[np.float64] = np.full(num, 1 / num)
    scale = float(np.trace(gram_KK)) / num
    if not (0 < scale < np.inf) or num == 1:
        return weights_K
    gram_KK = gram_KK / scale + _RIDGE * np.eye(num)
    free_K = np.ones(num, dtype=bool)
    for _ in range(100 * num):
        target_K, level = _minimum(gram_KK, weights_K, free_K)
        share, blocking = _longest_step(weights_K, target_K, at_most)
        weights_K = np.clip(weights_K + share * (target_K - weights_K), 0.0, at_most)
        if blocking is not None and free_K.sum() > 1:
            weights_K[blocking] = 0.0 if target_K[blocking] < weights_K[blocking] else at_most
            free_K[blocking] = False
            continue
        # At 0 the slope must be at least that of the free ones, at the upper bound at most.
        slope_K = gram_KK @ weights_K
        excess_K = np.where(weights_K <= 0.5 * at_most, level - slope_K, slope_K - level)
        wrong = np.flatnonzero(~free_K & (excess_K > _TOLERANCE))
        if not len(wrong):
            break
        free_K[wrong[0]] = True
    else:
        raise AssertionError("the active-set method did not end")
    return weights_K


def _minimum(
    gram_KK: NDArray[np.float64], weights_K: NDArray[np.float64], free_K: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Find the best free weights while the others stay, and the slope that they then have in common."""
    free, fixed = np.flatnonzero(free_K), np.flatnonzero(~free_K)
    num = len(free)
    system = np.zeros((num + 1, num + 1))
    system[:num, :num] = gram_KK[np.ix_(free, free)]
    system[:num, num] = system[num, :num] = 1.0
    right = np.append(-gram_KK[np.ix_(free, fixed)] @ weights_K[fixed], 1.0 - weights_K[fixed].sum())
    solution = np.linalg.solve(system, right)
    target_K = weights_K.copy()
    target_K[free] = solution[:num]
    return target_K, -float(solution[num])


def _longest_step(
    weights_K: NDArray[np.float64], target_K: NDArray[np.float64], at_most: float
) -> tuple[float, int | None]:
    """Say how far one can go towards the target, as a share of the way, and which weight then meets its bound."""
    share, blocking = 1.0, None
    for k, (weight, target) in enumerate(zip(weights_K, target_K, strict=True)):
        bound = 0.0 if target < 0 else at_most
        if -_TOLERANCE <= target <= at_most + _TOLERANCE:
            continue
        reach = (bound - weight) / (target - weight)
        if reach < share:
            share, blocking = reach, k
    return share, blocking
