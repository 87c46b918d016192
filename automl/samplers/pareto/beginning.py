"""The first points of a search: by chance, but where students are refused, by where they are believed not to be.

Shape letters: N = trials that ended, C = candidates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl.samplers.context import SearchContext
from automl.samplers.pareto.belief import Kernels
from automl.samplers.pareto.evidence import Evidence
from automl.samplers.pareto.features import PointFeatures
from automl.samplers.pareto.outlook import keeps
from automl.samplers.pareto.views import ModelledCost, Scene
from search_spaces import Point
from trials.records import METRICS_OF_COST

Array = NDArray[np.float64]

_NEAREST = 5
"""Refused students whose mutants are looked at."""
_LIKELY = 0.5
"""Points that keep the limits with this probability or more are as good as each other, so that chance is left."""


class Beginning:
    """What is known before a front can be looked at: which students the gate lets pass.

    A limit on a cost that is measured can refuse nearly all that is drawn at random, and a search that drew until a few
    students were trained would never begin. By how much refused ones broke a limit is known, and a belief in it is
    enough to keep away from there.

    Args:
        evidence: What is known.
        context: Of the search.
        features: Of points.
        kernels: Found before.
        rng: Source of chance, of this proposal.
    """

    def __init__(
        self,
        evidence: Evidence,
        context: SearchContext,
        features: PointFeatures,
        kernels: Kernels,
        rng: np.random.Generator,
    ) -> None:
        self._features = features
        self._known_limits = [limit for limit in context.limits if limit.metric in features.known]
        measured = [
            limit for limit in context.limits if limit.metric in METRICS_OF_COST and limit not in self._known_limits
        ]
        excesses = [evidence.excess[str(limit)] for limit in measured]
        self.nearest: list[Point] = []
        """Students of which the least was missing; none where no limit on a measured cost was broken."""
        self._beliefs: list[ModelledCost] = []
        if not any((excess_N > 0).any() for excess_N in excesses):
            return
        scene = Scene(seen=features.read(evidence.points), pending=features.read([]), kernels=kernels, rng=rng)
        self._beliefs = [
            ModelledCost(str(limit), np.clip(excess_N, -1.0, 1.0), scene)
            for limit, excess_N in zip(measured, excesses, strict=True)
            if np.isfinite(excess_N).sum() > 1
        ]
        missing_N = np.sum([np.maximum(excess_N, 0.0) for excess_N in excesses], axis=0)
        order = [row for row in np.argsort(missing_N, kind="stable") if np.isfinite(missing_N[row])]
        self.nearest = [evidence.points[row] for row in order[:_NEAREST]]

    def likely(self, points: Sequence[Point]) -> Array:
        """Give the probability that each point keeps the limits, ``likely_C``, up to where it is likely enough."""
        read = self._features.read(points)
        likely_C = np.ones(len(points))
        for belief in self._beliefs:
            likely_C = likely_C * belief.marginal(read).below(np.zeros(1))[:, 0]
        likely_C = np.minimum(likely_C, _LIKELY)
        for limit in self._known_limits:
            likely_C = likely_C * keeps(limit, read.costs)
        return likely_C
