"""How the sampler sees one objective of points that were not tried: known, or believed.

Shape letters: N = trials that ended, P = pending ones, C = candidates, X = columns.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automl.objectives import Objective
from automl.samplers.pareto.belief import Belief, Kernels, believe
from automl.samplers.pareto.features import Point, PointFeatures
from automl.samplers.pareto.improvement import Marginal
from automl.samplers.pareto.warp import FloorWarp, RankWarp, Warp

Array = NDArray[np.float64]

_BEYOND = 0.3
"""How far below the best of its range a cost that is believed may lie, as a share of the range."""


class View(Protocol):
    """One objective; losses are counted in units of its own, so that 1 is where the front ends."""

    unit: float
    """Loss that counts as 1."""

    def expected(self, points: Sequence[Point]) -> Array:
        """Give the loss that is expected of each point, in units."""
        ...

    def marginal(self, points: Sequence[Point]) -> Array | Marginal:
        """Give what is known or believed of each point's loss, in units."""
        ...

    def lowest(self, marginal: Array | Marginal) -> float:
        """Say below what a loss gains nothing more, in units."""
        ...


class KnownCost:
    """A cost in closed form.

    Args:
        objective: Of this cost.
        features: Of points.
    """

    unit = 1.0

    def __init__(self, objective: Objective, features: PointFeatures) -> None:
        self._objective, self._features = objective, features

    def expected(self, points: Sequence[Point]) -> Array:
        """Give the loss of each point."""
        return np.array([self._objective.loss(cost) for cost in self._features.costs(points)[self._objective.metric]])

    def marginal(self, points: Sequence[Point]) -> Array:
        """Give the loss of each point."""
        return self.expected(points)

    def lowest(self, marginal: Array | Marginal) -> float:
        """Let students be cheaper than all that the search began with."""
        assert isinstance(marginal, np.ndarray)
        return min(0.0, float(marginal.min()))


class ModelledCost:
    """A cost that is measured, such as latency; its logarithm is nearly a smooth function of the costs that are known.

    Args:
        metric: Its name.
        loss_N: What was measured; NaN where nothing was.
        points: Where.
        pending: Under way.
        features: Of points.
        kernels: Found before.
    """

    unit = 1.0

    def __init__(
        self,
        metric: str,
        loss_N: Array,
        points: Sequence[Point],
        pending: Sequence[Point],
        features: PointFeatures,
        kernels: Kernels,
    ) -> None:
        seen = np.isfinite(loss_N)
        rows_NX = features.rows(points)[seen]
        self._features = features
        self._centre = float(loss_N[seen].mean())
        self._spread = float(loss_N[seen].std()) or 1.0
        value_N = self.warp(loss_N[seen])
        self._process = believe(kernels.get(metric, rows_NX, value_N), rows_NX, value_N, features.rows(pending))

    def warp(self, loss: Array) -> Array:
        """Map losses to about mean 0 and variance 1."""
        return np.asarray((loss - self._centre) / self._spread)

    def expected(self, points: Sequence[Point]) -> Array:
        """Give the mean of what is believed."""
        mean_C, _ = self._process.predict(self._features.rows(points))
        return np.asarray(mean_C * self._spread + self._centre)

    def marginal(self, points: Sequence[Point]) -> Belief:
        """Give what is believed."""
        mean_C, deviation_C = self._process.predict(self._features.rows(points))
        return Belief(warp=self.warp, mean_C=mean_C, deviation_C=deviation_C)

    def lowest(self, marginal: Array | Marginal) -> float:
        """Let students be cheaper than all that the search began with."""
        return -_BEYOND


class Learnt:
    """A metric that only training tells, such as accuracy.

    Its losses are warped before they are believed to be normal. Where ``ranked``, by their ranks, else straight up to a
    floor and by logarithm above: on some spaces the one finds more, on others the other. The floor is what half of all
    points are expected to reach; worse students are not what a front is for, even if they are small.

    Args:
        metric: Its name.
        loss_N: What came out; NaN where nothing did.
        points: Where.
        pending: Under way.
        features: Of points.
        kernels: Found before.
        drawn: Points drawn at random, at least one.
        ranked: Which warp.
    """

    def __init__(
        self,
        metric: str,
        loss_N: Array,
        points: Sequence[Point],
        pending: Sequence[Point],
        features: PointFeatures,
        kernels: Kernels,
        *,
        drawn: Sequence[Point],
        ranked: bool,
    ) -> None:
        seen = np.isfinite(loss_N)
        self._features = features
        rows_NX, seen_N = features.rows(points)[seen], loss_N[seen]
        pending_PX = features.rows(pending)
        self._warp: Warp = RankWarp(seen_N)
        value_N = self._warp(seen_N)
        self._process = believe(kernels.get((metric, "rank"), rows_NX, value_N), rows_NX, value_N, pending_PX)
        middle = np.median(self._process.predict(features.rows(drawn))[0])
        floor = float(self._warp.inverse(middle))
        if not ranked:
            self._warp = FloorWarp(seen_N, floor)
            value_N = self._warp(seen_N)
            self._process = believe(kernels.get((metric, "floor"), rows_NX, value_N), rows_NX, value_N, pending_PX)
        self.unit = min(1.0, max(floor, 1e-6))

    def expected(self, points: Sequence[Point]) -> Array:
        """Give the loss at the mean of what is believed."""
        mean_C, _ = self._process.predict(self._features.rows(points))
        return self._warp.inverse(mean_C) / self.unit

    def marginal(self, points: Sequence[Point]) -> Belief:
        """Give what is believed."""
        mean_C, deviation_C = self._process.predict(self._features.rows(points))
        return Belief(warp=self._warp, mean_C=mean_C, deviation_C=deviation_C, unit=self.unit)

    def lowest(self, marginal: Array | Marginal) -> float:
        """Stop at what no model can exceed."""
        return 0.0
