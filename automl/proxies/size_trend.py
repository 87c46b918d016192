"""What a score of students is expected to be by their size alone.

Shape letters: N = students.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DEGREE = 2


@dataclass(frozen=True, kw_only=True)
class SizeTrend:
    """A parabola over the logarithm of the number of parameters.

    Args:
        coefficients: Of the powers of the logarithm as it is moved and scaled, the highest first.
        centre: Taken off the logarithm.
        scale: The rest is divided by this.
    """

    coefficients: tuple[float, ...]
    centre: float
    scale: float

    @classmethod
    def fitted(cls, params_N: Array, score_N: Array) -> "SizeTrend":
        """Fit the trend by least squares; a straight line, or the mean, where sizes are too few for more.

        Args:
            params_N: Above 0.
            score_N: Of the same students.
        """
        log_N = np.log(params_N)
        centre, scale = float(log_N.mean()), float(log_N.std()) or 1.0
        degree = min(_DEGREE, len(np.unique(params_N)) - 1)
        powers = np.vander((log_N - centre) / scale, degree + 1)
        coefficients, *_ = np.linalg.lstsq(powers, score_N, rcond=None)
        return cls(coefficients=tuple(coefficients.tolist()), centre=centre, scale=scale)

    def beyond(self, params: float, score: float) -> float:
        """Give by how much a student's score exceeds what is expected of its size."""
        expected = np.polyval(self.coefficients, (np.log(params) - self.centre) / self.scale)
        return score - float(expected)
