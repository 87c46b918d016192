"""How the sampler sees one objective of points that were not tried: known, or believed.

Shape letters: N = trials that ended, C = candidates, X = columns.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automl.objectives import Objective
from automl.samplers.pareto.belief import Belief, Kernels, believe
from automl.samplers.pareto.features import Read
from automl.samplers.pareto.improvement import Marginal
from automl.samplers.pareto.surrogate import GaussianProcess
from automl.samplers.pareto.warp import FloorWarp, RankWarp, Warp

Array = NDArray[np.float64]

_BEYOND = 0.3
"""How far below the best of its range a cost that is believed may lie, as a share of the range."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Where things were seen, and how they are read.

    Args:
        seen: Points of the trials that ended.
        pending: Under way.
        kernels: Found before.
    """

    seen: Read
    pending: Read
    kernels: Kernels

    def process(self, name: Hashable, seen_N: NDArray[np.bool_], value_N: Array) -> GaussianProcess:
        """Learn from the values that were seen of some points."""
        rows_NX = self.seen.rows_PX[seen_N]
        return believe(self.kernels.get(name, rows_NX, value_N), rows_NX, value_N, self.pending.rows_PX)


class View(Protocol):
    """One objective, as losses: at 1 the range of its front ends."""

    def expected(self, points: Read) -> Array:
        """Give the loss that is expected of each point."""
        ...

    def marginal(self, points: Read) -> Array | Marginal:
        """Give what is known or believed of each point's loss."""
        ...

    def lowest(self, marginal: Array | Marginal) -> float:
        """Say below what a loss gains nothing more."""
        ...


class KnownCost:
    """A cost in closed form.

    Args:
        objective: Of this cost.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def expected(self, points: Read) -> Array:
        """Give the loss of each point."""
        return np.array([self._objective.loss(cost) for cost in points.costs[self._objective.metric]])

    def marginal(self, points: Read) -> Array:
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
        scene: Where.
    """

    def __init__(self, metric: str, loss_N: Array, scene: Scene) -> None:
        seen_N = np.isfinite(loss_N)
        self._centre = float(loss_N[seen_N].mean())
        self._spread = float(loss_N[seen_N].std()) or 1.0
        self._process = scene.process(metric, seen_N, self.warp(loss_N[seen_N]))

    def warp(self, loss: Array) -> Array:
        """Map losses to about mean 0 and variance 1."""
        return np.asarray((loss - self._centre) / self._spread)

    def expected(self, points: Read) -> Array:
        """Give the mean of what is believed."""
        mean_C, _ = self._process.predict(points.rows_PX)
        return np.asarray(mean_C * self._spread + self._centre)

    def marginal(self, points: Read) -> Belief:
        """Give what is believed."""
        mean_C, deviation_C = self._process.predict(points.rows_PX)
        return Belief(warp=self.warp, mean_C=mean_C, deviation_C=deviation_C)

    def lowest(self, marginal: Array | Marginal) -> float:
        """Let students be cheaper than all that the search began with."""
        return -_BEYOND


class Learnt:
    """A metric that only training tells, such as accuracy.

    Its losses are warped before they are believed to be normal. Where ``ranked``, by their ranks, else straight up to
    where the front's range ends and by logarithm above: on some spaces the one finds more, on others the other.

    Args:
        metric: Its name.
        loss_N: What came out; NaN where nothing did.
        scene: Where.
        ranked: Which warp.
    """

    def __init__(self, metric: str, loss_N: Array, scene: Scene, *, ranked: bool) -> None:
        seen_N = np.isfinite(loss_N)
        found_N = loss_N[seen_N]
        self._warp: Warp = RankWarp(found_N) if ranked else FloorWarp(found_N, floor=1.0)
        self._process = scene.process((metric, ranked), seen_N, self._warp(found_N))

    def expected(self, points: Read) -> Array:
        """Give the loss at the mean of what is believed."""
        mean_C, _ = self._process.predict(points.rows_PX)
        return self._warp.inverse(mean_C)

    def marginal(self, points: Read) -> Belief:
        """Give what is believed."""
        mean_C, deviation_C = self._process.predict(points.rows_PX)
        return Belief(warp=self._warp, mean_C=mean_C, deviation_C=deviation_C)

    def lowest(self, marginal: Array | Marginal) -> float:
        """Stop at what no model can exceed."""
        return 0.0
