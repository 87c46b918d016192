"""What is believed of points that were not tried: a Gaussian process for each metric that is not known before.

Shape letters: N = points that were seen, C = candidates, X = columns, E = levels.
"""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from automl.samplers.pareto.surrogate import Features, GaussianProcess, Kernel, fit_kernel

Array = NDArray[np.float64]

_EVERY = 1.15
"""Hyperparameters are found anew each time that so many times as many trials have ended."""
_FROM = 30
"""Until then they are found anew each time."""
_MOST = 120
"""Points that they are found from; more cost much and change little."""
_MOST_SEEN = 300
"""Points that a belief rests on, for the same reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Belief:
    """A normal distribution of each candidate's loss on a warped scale.

    Args:
        warp: To that scale.
        mean_C: There.
        deviation_C: There.
    """

    warp: Callable[[Array], Array]
    mean_C: Array
    deviation_C: Array

    def below(self, levels_E: Array) -> Array:
        """Give the probability that each candidate's loss lies below each level, shape (C, E)."""
        warped_E = self.warp(levels_E)
        return np.asarray(ndtr((warped_E - self.mean_C[:, None]) / self.deviation_C[:, None]))


@dataclass(kw_only=True, eq=False)
class Kernels:
    """Hyperparameters that were found, so that they are not found again; they depend on what was seen alone.

    Args:
        columns: Of the points.
    """

    columns: Features
    _found: dict[Hashable, tuple[bytes, Kernel]] = field(default_factory=dict)

    def get(
        self,
        name: Hashable,
        rows_NX: Array,
        scaled: Callable[[int], Array],
        *,
        widened: Callable[[int], tuple[Array, Features]] | None = None,
    ) -> Kernel:
        """Give the hyperparameters for what was seen up to the last milestone.

        Args:
            name: Of what was seen.
            rows_NX: Points in the order in which they came.
            scaled: Gives what was seen at the first so many, on a scale of about one unit that rests on these alone:
                so the answer stays the same until the next milestone.
            widened: Gives the first so many rows with further columns, and how these are to be read; as with values,
                the answer must rest on these trials alone.
        """
        count = milestone(len(rows_NX))
        value_N = scaled(count)
        digest = hashlib.sha256(rows_NX[:count].tobytes() + value_N.tobytes()).digest()
        known, kernel = self._found.get(name, (b"", None))
        if kernel is None or known != digest:
            chosen = _telling(value_N, _MOST)
            wide_NX, columns = (rows_NX, self.columns) if widened is None else widened(count)
            kernel = fit_kernel(columns, wide_NX[chosen], value_N[chosen])
            self._found[name] = digest, kernel
        return kernel


def milestone(count: int) -> int:
    """Give the largest number of trials, at most ``count``, at which hyperparameters are found."""
    if count <= _FROM:
        return count
    reached = float(_FROM)
    while int(reached * _EVERY) <= count:
        reached = int(reached * _EVERY)
    return int(reached)


def _telling(value_N: Array, most: int) -> NDArray[np.intp]:
    """Choose the points that tell most: the best half, and others evenly over the time that they came."""
    if len(value_N) <= most:
        return np.arange(len(value_N))
    order = np.argsort(value_N, kind="stable")
    best, others = order[: most // 2], np.sort(order[most // 2 :])
    places = np.linspace(0, len(others) - 1, most - len(best)).round().astype(np.intp)
    return np.sort(np.concatenate([best, others[places]]))


def believe(kernel: Kernel, rows_NX: Array, value_N: Array, pending_PX: Array) -> GaussianProcess:
    """Learn from what was seen, and believe of what is under way that it comes out as expected.

    The mean stays as it is, but near what is under way no more is to be learnt (Ginsbourger, Le Riche and Carraro,
    2010, kriging believer, https://doi.org/10.1007/978-3-642-10701-6_6).
    """
    chosen = _telling(value_N, _MOST_SEEN)
    rows_NX, value_N = rows_NX[chosen], value_N[chosen]
    learnt = GaussianProcess(kernel, rows_NX, value_N)
    if not len(pending_PX):
        return learnt
    expected_P, _ = learnt.predict(pending_PX)
    return GaussianProcess(
        kernel, np.concatenate([rows_NX, pending_PX]), np.concatenate([value_N, expected_P]), mean=learnt.mean
    )
