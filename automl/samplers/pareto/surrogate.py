"""A Gaussian process over points of a search space.

Its covariance is a sum: a stationary part that falls with the distance in each feature, a linear trend in some of the
features, and noise. The stationary part is of Matern's kind (5/2): accuracies that training tells are rougher than the
squared exponential would have them, and are predicted a little better so on each table of ``benchmarks/_tabular.py``.
That part alone believes nothing far from what it has seen, so that a search stays in the
corner where costs are lowest; the trend says that more parameters most often mean more accuracy.

Shape letters: N = points that were seen, C = candidates, X = columns, G = groups of columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]

_STEPS = 40
"""Of the optimiser, at most; the fit is near its end long before."""
_BOUND = 7.0
"""Logarithms of hyperparameters stay within it."""
_JITTER = 1e-6
_VARIED = 0.4
"""Standard deviation of logarithms of hyperparameters where they are drawn around the most likely ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """How columns are to be read.

    Args:
        group_X: Group of each column; columns of one group share a weight. Groups count from 0.
        trend_X: Whether the trend runs along the column.
    """

    group_X: NDArray[np.intp]
    trend_X: NDArray[np.bool_]

    @property
    def num_groups(self) -> int:
        """Number of groups."""
        return int(self.group_X.max(initial=-1)) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernel:
    """Covariance with its hyperparameters.

    Args:
        features: Of the points.
        scale: Variance of the stationary part.
        trend: Variance of the slopes of the trend.
        sharing: Variance of a trend along all columns, which grows with the share of choices that two points share.
        noise: Variance of a measurement.
        weight_G: How fast the stationary part falls along each group.
    """

    features: Features
    scale: float
    trend: float
    sharing: float
    noise: float
    weight_G: Array

    def varied(self, rng: np.random.Generator) -> "Kernel":
        """Draw hyperparameters around these, as others are nearly as likely: who takes one set for true is too sure."""
        by = np.exp(_VARIED * rng.normal(size=4 + len(self.weight_G)))
        return Kernel(
            features=self.features,
            scale=self.scale * by[0],
            trend=self.trend * by[1],
            sharing=self.sharing * by[2],
            noise=self.noise * by[3],
            weight_G=self.weight_G * by[4:],
        )

    def between(self, one_NX: Array, other_CX: Array) -> Array:
        """Give the covariance of the function at two sets of points, shape (N, C)."""
        root_X = np.sqrt(self.weight_G)[self.features.group_X]
        along = self.features.trend_X
        linear = self.trend * (one_NX[:, along] @ other_CX[:, along].T)
        linear += self.sharing * (one_NX[:, ~along] @ other_CX[:, ~along].T)
        fall, _ = _matern(_squared(one_NX * root_X, other_CX * root_X))
        return np.asarray(self.scale * fall + linear)

    def variance(self, point_CX: Array) -> Array:
        """Give the variance of the function at each point before anything was seen."""
        along = self.features.trend_X
        squares_CX = point_CX**2
        return np.asarray(
            self.scale
            + self.trend * squares_CX[:, along].sum(axis=1)
            + self.sharing * squares_CX[:, ~along].sum(axis=1)
        )


class GaussianProcess:
    """What is believed after some points were seen.

    Args:
        kernel: With its hyperparameters.
        seen_NX: The points.
        value_N: What was seen there, about mean 0 and variance 1.
        mean: Of the function before anything was seen; None takes that of what was seen.
    """

    def __init__(self, kernel: Kernel, seen_NX: Array, value_N: Array, *, mean: float | None = None) -> None:
        self._kernel = kernel
        self._seen_NX = seen_NX
        self.mean = float(value_N.mean()) if mean is None else mean
        covariance = kernel.between(seen_NX, seen_NX)
        covariance[np.diag_indices(len(seen_NX))] += kernel.noise + _JITTER
        self._root = cholesky(covariance, lower=True, check_finite=False)
        self._coefficient_N = cho_solve((self._root, True), value_N - self.mean, check_finite=False)

    def predict(self, point_CX: Array, *, measured: bool = False) -> tuple[Array, Array]:
        """Give mean and standard deviation of the function at each point.

        Args:
            point_CX: The points.
            measured: Of what would be measured there: with the noise of a measurement.
        """
        covariance_NC = self._kernel.between(self._seen_NX, point_CX)
        mean_C = self.mean + covariance_NC.T @ self._coefficient_N
        known_NC = solve_triangular(self._root, covariance_NC, lower=True, check_finite=False)
        variance_C = self._kernel.variance(point_CX) - np.einsum("nc,nc->c", known_NC, known_NC)
        return mean_C, np.sqrt(np.maximum(variance_C, 1e-8) + (self._kernel.noise if measured else 0.0))


def fit_kernel(features: Features, seen_NX: Array, value_N: Array) -> Kernel:
    """Find the hyperparameters that are most likely after what was seen (maximum a posteriori).

    Args:
        features: Of the points.
        seen_NX: The points.
        value_N: What was seen there, about mean 0 and variance 1.
    """
    centred_N = value_N - value_N.mean() if len(value_N) else value_N
    squared_GNN = np.stack(
        [
            _squared(seen_NX[:, features.group_X == group], seen_NX[:, features.group_X == group])
            for group in range(features.num_groups)
        ]
    )
    along = features.trend_X
    trend_NN, sharing_NN = seen_NX[:, along] @ seen_NX[:, along].T, seen_NX[:, ~along] @ seen_NX[:, ~along].T
    # All slopes together, and all shares, are as large beforehand whatever the number of columns: with one variance for
    # each, who describes structures in detail would have trends believed that nothing was seen of.
    trend, sharing = 0.6 / max(1, int(along.sum())), 0.3 / max(1, int((~along).sum()))
    centre = np.log([1.0, trend, sharing, 0.05, *[1.0 / features.num_groups] * features.num_groups])
    spread = np.array([1.0, 1.0, 1.0, 1.0, *[1.0] * features.num_groups])

    def objective(log_H: Array) -> tuple[float, Array]:
        scale, trend, sharing, noise = np.exp(log_H[:4])
        weight_G = np.exp(log_H[4:])
        fall, slope_of_fall = _matern(np.tensordot(weight_G, squared_GNN, axes=1))
        stationary = scale * fall
        covariance = stationary + trend * trend_NN + sharing * sharing_NN
        covariance[np.diag_indices(len(seen_NX))] += noise + _JITTER
        root = cholesky(covariance, lower=True, check_finite=False)
        inverse = cho_solve((root, True), np.eye(len(seen_NX)), check_finite=False)
        coefficient_N = inverse @ centred_N
        # d(-log likelihood)/dK = (K^-1 - a a^T) / 2 (Rasmussen and Williams, 2006, equation 5.9).
        slope = (inverse - np.outer(coefficient_N, coefficient_N)) / 2
        gradient = np.array(
            [
                (slope * stationary).sum(),
                trend * (slope * trend_NN).sum(),
                sharing * (slope * sharing_NN).sum(),
                noise * np.trace(slope),
                *(weight_G * np.tensordot(squared_GNN, slope * scale * slope_of_fall, axes=2)),
            ]
        )
        off = (log_H - centre) / spread
        loss = centred_N @ coefficient_N / 2 + np.log(np.diag(root)).sum() + (off**2).sum() / 2
        return float(loss), gradient + off / spread

    bounds = [(-_BOUND - 3, _BOUND)] * len(centre)
    found = minimize(objective, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    scale, trend, sharing, noise, *weights = np.exp(found.x)
    return Kernel(
        features=features,
        scale=float(scale),
        trend=float(trend),
        sharing=float(sharing),
        noise=float(noise),
        weight_G=np.array(weights),
    )


def _matern(squared: Array) -> tuple[Array, Array]:
    """Give Matern's function (5/2) and its slope at squared distances (Rasmussen and Williams, 2006, equation 4.17)."""
    far = np.sqrt(5 * squared)
    near = np.exp(-far)
    return (1 + far + far**2 / 3) * near, -5 / 6 * (1 + far) * near


def _squared(one_NX: Array, other_CX: Array) -> Array:
    """Give the squared Euclidean distance of each pair."""
    squared = (one_NX**2).sum(axis=1)[:, None] + (other_CX**2).sum(axis=1)[None] - 2 * one_NX @ other_CX.T
    return np.asarray(np.maximum(squared, 0.0))
