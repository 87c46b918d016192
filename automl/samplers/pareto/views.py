"""How the sampler sees one objective of points that were not tried: known, or believed.

Shape letters: N = trials that ended, C = candidates, X = columns.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from automl.front.objectives import Objective
from automl.samplers.pareto.belief import Belief, Kernels, believe
from automl.samplers.pareto.early import EarlyBelief, early_belief
from automl.samplers.pareto.features import Read
from automl.samplers.pareto.improvement import Marginal
from automl.samplers.pareto.surrogate import Features, GaussianProcess
from automl.samplers.pareto.warp import FloorWarp, RankWarp, StandardWarp, Warp

Array = NDArray[np.float64]

WarpT = TypeVar("WarpT", bound=Warp)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Where things were seen, and how they are read.

    Args:
        seen: Points of the trials that ended.
        pending: Under way.
        kernels: Found before.
        rng: Source of chance, of this proposal.
    """

    seen: Read
    pending: Read
    kernels: Kernels
    rng: np.random.Generator

    def process(
        self,
        name: Hashable,
        loss_N: Array,
        make: Callable[[Array], WarpT],
        *,
        varied: bool = False,
        early: EarlyBelief | None = None,
    ) -> tuple[WarpT, GaussianProcess]:
        """Learn from the losses that were seen of some points, NaN of the others, on the scale of a warp.

        Args:
            name: Of the losses.
            loss_N: As they were seen.
            make: Gives the warp.
            varied: Whether each proposal draws hyperparameters of its own around the most likely ones.
            early: Whose column points have beside their own.
        """
        seen_N = np.isfinite(loss_N)
        found_N, rows_NX, pending = loss_N[seen_N], self.seen.rows_PX[seen_N], self.pending
        warp = make(found_N)

        def widened(count: int) -> tuple[Array, Features]:
            assert early is not None
            until = np.flatnonzero(seen_N)[count - 1] + 1
            return early.as_of(until)[seen_N[:until]], early.columns

        kernel = self.kernels.get(
            name,
            rows_NX,
            lambda count: make(found_N[:count])(found_N[:count]),
            widened=None if early is None else widened,
        )
        kernel = kernel.varied(self.rng) if varied else kernel
        if early is not None:
            rows_NX, pending = early.read(self.seen).rows_PX[seen_N], early.read(pending)
        return warp, believe(kernel, rows_NX, warp(found_N), pending.rows_PX)


class View(Protocol):
    """One objective, as losses: at 1 the range of its front ends."""

    def expected(self, points: Read) -> Array:
        """Give the loss that is expected of each point."""
        ...

    def marginal(self, points: Read) -> Array | Marginal:
        """Give what is known or believed of each point's loss."""
        ...

    @property
    def lowest(self) -> float:
        """Below it a loss gains nothing more."""
        ...


class KnownCost:
    """A cost in closed form.

    Args:
        objective: Of this cost.
    """

    lowest = -1.0
    """Students may be cheaper than all that the search began with."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def expected(self, points: Read) -> Array:
        """Give the loss of each point."""
        return self._objective.losses(points.costs[self._objective.metric])

    def marginal(self, points: Read) -> Array:
        """Give the loss of each point."""
        return self.expected(points)


class ModelledCost:
    """A cost that is measured, such as latency; its logarithm is nearly a smooth function of the costs that are known.

    Args:
        metric: Its name.
        loss_N: What was measured; NaN where nothing was.
        scene: Where.
    """

    lowest = -0.3
    """Students may be cheaper than all that the search began with, but as a belief goes not without bound."""

    def __init__(self, metric: str, loss_N: Array, scene: Scene) -> None:
        self._warp, self._process = scene.process(metric, loss_N, StandardWarp)

    def expected(self, points: Read) -> Array:
        """Give the mean of what is believed."""
        mean_C, _ = self._process.predict(points.rows_PX)
        return self._warp.inverse(mean_C)

    def marginal(self, points: Read) -> Belief:
        """Give what is believed."""
        mean_C, deviation_C = self._process.predict(points.rows_PX)
        return Belief(warp=self._warp, mean_C=mean_C, deviation_C=deviation_C)


class Learnt:
    """A metric that only training tells, such as accuracy.

    Its losses are warped before they are believed to be normal. Where ``ranked``, by their ranks, else straight up to
    where the front's range ends and by logarithm above: on some spaces the one finds more, on others the other.

    A front is made of what was measured, so that the noise of a training is part of what a trial may gain.

    Args:
        metric: Its name.
        loss_N: What came out; NaN where nothing did.
        scene: Where.
        ranked: Which warp.
        early: What came out at the first rung, of trials that ended and of those under way; NaN where none was reached.
    """

    lowest = 0.0
    """No model can exceed it."""

    def __init__(self, metric: str, loss_N: Array, scene: Scene, *, ranked: bool, early: tuple[Array, Array]) -> None:
        make: Callable[[Array], Warp] = RankWarp if ranked else FloorWarp
        self._early = early_belief(metric, early, loss_N, seen=scene.seen, pending=scene.pending, kernels=scene.kernels)
        name = metric, ranked, self._early is not None
        self._warp, self._process = scene.process(name, loss_N, make, varied=True, early=self._early)

    def expected(self, points: Read) -> Array:
        """Give the loss at the mean of what is believed."""
        mean_C, _ = self._process.predict(self._read(points))
        return self._warp.inverse(mean_C)

    def marginal(self, points: Read) -> Belief:
        """Give what is believed of a training's outcome."""
        mean_C, deviation_C = self._process.predict(self._read(points), measured=True)
        return Belief(warp=self._warp, mean_C=mean_C, deviation_C=deviation_C)

    def _read(self, points: Read) -> Array:
        return (points if self._early is None else self._early.read(points)).rows_PX
