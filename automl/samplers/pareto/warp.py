"""Monotone maps of a loss onto a scale on which a Gaussian process can believe in it.

Shape letters: N = trials.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]


class Warp(Protocol):
    """A map of losses that keeps their order."""

    def __call__(self, loss: Array) -> Array:
        """Map losses of any shape."""
        ...

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        ...


class StandardWarp:
    """Straight, with what was seen around 0 and a spread of 1.

    Args:
        loss_N: What was seen.
    """

    def __init__(self, loss_N: Array) -> None:
        self._centre = float(loss_N.mean())
        self._spread = float(loss_N.std()) or 1.0

    def __call__(self, loss: Array) -> Array:
        """Map losses of any shape."""
        return np.asarray((loss - self._centre) / self._spread)

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        return np.asarray(warped * self._spread + self._centre)


class FloorWarp:
    """Linear up to a floor, logarithmic above: of students that learnt next to nothing it matters little how little.

    Args:
        loss_N: What was seen.
        floor: Loss from which on a student is of no interest; 1 is where the range of a front ends.
    """

    def __init__(self, loss_N: Array, floor: float = 1.0) -> None:
        self._best = float(loss_N.min())
        self._range = max(floor - self._best, 1e-9)
        bent_N = self._bent(loss_N)
        self._centre, self._spread = float(bent_N.mean()), float(bent_N.std()) or 1.0

    def __call__(self, loss: Array) -> Array:
        """Map losses of any shape."""
        return np.asarray((self._bent(loss) - self._centre) / self._spread)

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        bent = warped * self._spread + self._centre
        share = np.where(bent <= 1, bent, np.exp(np.clip(bent - 1, 0, 50)))
        return np.asarray(self._best + share * self._range)

    def _bent(self, loss: Array) -> Array:
        share = (loss - self._best) / self._range
        return np.where(share <= 1, share, 1 + np.log(np.maximum(share, 1)))


class RankWarp:
    """Normal scores of the ranks; straight between losses that were seen, and beyond them as among the outer quarter.

    Args:
        loss_N: What was seen.
    """

    def __init__(self, loss_N: Array) -> None:
        self._loss, counts = np.unique(loss_N, return_counts=True)
        self._score = ndtri((np.cumsum(counts) - counts / 2) / len(loss_N))
        quarter = max(1, len(self._loss) // 4)
        self._first = self._slope(0, min(quarter, len(self._loss) - 1))
        self._last = self._slope(max(len(self._loss) - 1 - quarter, 0), -1)

    def __call__(self, loss: Array) -> Array:
        """Map losses of any shape."""
        below, above = np.minimum(loss - self._loss[0], 0), np.maximum(loss - self._loss[-1], 0)
        return np.asarray(np.interp(loss, self._loss, self._score) + below * self._first + above * self._last)

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        below, above = np.minimum(warped - self._score[0], 0), np.maximum(warped - self._score[-1], 0)
        return np.asarray(np.interp(warped, self._score, self._loss) + below / self._first + above / self._last)

    def _slope(self, low: int, high: int) -> float:
        run = self._loss[high] - self._loss[low]
        return float((self._score[high] - self._score[low]) / run) if run > 0 else 1.0
