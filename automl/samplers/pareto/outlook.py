"""What trying a point promises, as far as a search has come.

Shape letters: N = trials that ended, C = candidates, D = objectives, F = the front.
"""

from collections.abc import Mapping, Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from automl.samplers.context import SearchContext
from automl.samplers.pareto.belief import Kernels
from automl.samplers.pareto.evidence import Evidence
from automl.samplers.pareto.features import PointFeatures, Read
from automl.samplers.pareto.improvement import expected_gain, free_boxes
from automl.samplers.pareto.views import KnownCost, Learnt, ModelledCost, Scene, View
from search_spaces import Point
from trials.records import METRICS_OF_COST, Limit

Array = NDArray[np.float64]


def keeps(limit: Limit, costs: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Tell which points keep a limit on a metric that is known before training."""
    cost_C = costs[limit.metric]
    return cost_C <= limit.value if limit.at_most else cost_C >= limit.value


class Outlook:
    """The front so far, and what is believed of all other points.

    Args:
        evidence: What is known; at least two trials with all objectives.
        context: Of the search.
        features: Of points.
        kernels: Found before.
        rng: Source of chance, of this proposal.
        ranked: See ``Learnt``.
    """

    def __init__(
        self,
        evidence: Evidence,
        context: SearchContext,
        features: PointFeatures,
        kernels: Kernels,
        rng: np.random.Generator,
        *,
        ranked: bool,
    ) -> None:
        self._features = features
        self._views: list[View] = []
        seen, pending = features.read(evidence.points), features.read(evidence.pending)
        scene = Scene(seen=seen, pending=pending, kernels=kernels, rng=rng)
        early = zip(evidence.early_ND.T, evidence.pending_early_PD.T, strict=True)
        for objective, loss_N, shown in zip(context.objectives, evidence.loss_ND.T, early, strict=True):
            if objective.metric in features.known:
                self._views.append(KnownCost(objective))
            elif objective.metric in METRICS_OF_COST:
                self._views.append(ModelledCost(objective.metric, loss_N, scene))
            else:
                self._views.append(Learnt(objective.metric, loss_N, scene, ranked=ranked, early=shown))
        self._known_limits = [limit for limit in context.limits if limit.metric in features.known]
        objectives = {objective.metric: d for d, objective in enumerate(context.objectives)}
        # Most often a limit on an objective is where its range ends, so that no gain is beyond it.
        self._within = [
            (objectives[limit.metric], loss)
            for limit in context.limits
            if limit.metric in objectives and limit not in self._known_limits
            if (loss := context.objectives[objectives[limit.metric]].loss(limit.value)) < 1
        ]
        self._excesses = [
            ModelledCost(str(limit), excess_N, scene)
            for limit in context.limits
            if limit.metric not in objectives and limit not in self._known_limits
            if np.isfinite(excess_N := np.clip(evidence.excess[str(limit)], -1.0, 1.0)).sum() > 1
        ]
        front_FD, self.parents = self._front(evidence, scene.pending)
        self._boxes = free_boxes(front_FD, low_D=np.array([view.lowest for view in self._views]))

    def _front(self, evidence: Evidence, pending: Read) -> tuple[Array, list[Point]]:
        """Give the front, of trials that ended as they came out and of pending ones as expected; and who is on it."""
        whole_N = np.isfinite(evidence.loss_ND).all(axis=1)
        for excess_N in evidence.excess.values():
            whole_N &= ~(excess_N > 0)
        points = [evidence.points[row] for row in np.flatnonzero(whole_N)] + evidence.pending
        loss_ND = evidence.loss_ND[whole_N]
        if evidence.pending:
            expected = np.stack([view.expected(pending) for view in self._views], axis=1)
            loss_ND = np.concatenate([loss_ND, expected])
        if not points:
            return loss_ND, evidence.points
        best = np.flatnonzero(moocore.is_nondominated(loss_ND, keep_weakly=False))
        inside = [points[row] for row in best if (loss_ND[row] < 1).all()]
        return loss_ND[best], inside or evidence.points

    def gain(self, points: Sequence[Point]) -> Array:
        """Give the hypervolume that trying each point is expected to add, ``gain_C``."""
        read = self._features.read(points)
        marginals = [view.marginal(read) for view in self._views]
        gain_C = expected_gain(marginals, self._boxes)
        for limit in self._known_limits:
            gain_C = gain_C * keeps(limit, read.costs)
        for d, loss in self._within:
            marginal = marginals[d]
            assert not isinstance(marginal, np.ndarray)
            gain_C = gain_C * marginal.below(np.array([loss]))[:, 0]
        for excess in self._excesses:
            gain_C = gain_C * excess.marginal(read).below(np.zeros(1))[:, 0]
        return gain_C
