"""Monotone maps of a loss onto a scale on which a Gaussian process can believe in it.

Shape letters: N = trials, E = levels.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]


class Warp(Protocol):
    """A map of losses that keeps their order."""

    def __call__(self, loss: Array) -> Array:
        """Map losses; of any shape."""
        ...

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        ...


class FloorWarp:
    """Linear up to a floor, logarithmic above: students that learnt next to nothing do not matter by how much.

    Args:
        best: Lowest loss that was seen.
        floor: Loss from which on a student is of no interest.
        centre: Mean of the mapped losses, taken off.
        scale: Their standard deviation, divided by.
    """

    def __init__(self, loss_N: Array, floor: float) -> None:
        self._best = float(loss_N.min())
        self._range = max(floor - self._best, 1e-9)
        bent = self._bend(loss_N)
        self._centre, self._scale = float(bent.mean()), float(bent.std()) or 1.0

    def _bend(self, loss: Array) -> Array:
        unit = (loss - self._best) / self._range
        return np.where(unit <= 1, unit, 1 + np.log(np.maximum(unit, 1)))

    def __call__(self, loss: Array) -> Array:
        """Map losses."""
        return np.asarray((self._bend(loss) - self._centre) / self._scale)

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        bent = warped * self._scale + self._centre
        unit = np.where(bent <= 1, bent, np.exp(np.minimum(bent - 1, 50)))
        return np.asarray(self._best + unit * self._range)


class RankWarp:
    """Normal scores of the ranks, straight between losses that were seen, and beyond them as among the best.

    Args:
        loss_N: What was seen.
    """

    def __init__(self, loss_N: Array) -> None:
        ordered, first, counts = np.unique(loss_N, return_index=False, return_inverse=False, return_counts=True), None, None
        values, counts = ordered
        middle = np.cumsum(counts) - counts / 2
        self._loss = values
        self._score = ndtri(middle / len(loss_N))
        self._below = self._slope(0)
        self._above = self._slope(-1)

    def _slope(self, end: int) -> float:
        """Give the slope beyond an end, as over the outer quarter of what was seen."""
        inner = max(1, len(self._loss) // 4) if end == 0 else -1 - max(1, len(self._loss) // 4)
        if len(self._loss) < 2:
            return 1.0
        return float(
            (self._score[inner] - self._score[end]) / max(abs(self._loss[inner] - self._loss[end]), 1e-12)
            * (1 if end == 0 else -1)
        )

    def __call__(self, loss: Array) -> Array:
        """Map losses."""
        score = np.interp(loss, self._loss, self._score)
        low, high = self._loss[0], self._loss[-1]
        score = np.where(loss < low, self._score[0] + (loss - low) * self._below, score)
        return np.asarray(np.where(loss > high, self._score[-1] + (loss - high) * self._above, score))

    def inverse(self, warped: Array) -> Array:
        """Map back."""
        loss = np.interp(warped, self._score, self._loss)
        low, high = self._score[0], self._score[-1]
        loss = np.where(warped < low, self._loss[0] + (warped - low) / self._below, loss)
        return np.asarray(np.where(warped > high, self._loss[-1] + (warped - high) / self._above, loss))
