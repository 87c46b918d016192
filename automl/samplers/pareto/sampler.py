"""Our own sampler: spends trials where they are expected to push the front out furthest."""

from collections.abc import Callable

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.pareto.beginning import Beginning
from automl.samplers.pareto.belief import Kernels, milestone
from automl.samplers.pareto.evidence import Evidence
from automl.samplers.pareto.features import PointFeatures
from automl.samplers.pareto.outlook import Outlook
from automl.samplers.pareto.pool import Mutants, Pool
from search_spaces import Point, sample

_DRAWN = 500
"""Points drawn at random that are looked at beside those that vary the front."""

_MUTATED_EVERY = 10
"""Trials that end before the front's members are mutated anew."""


class Memory:
    """What proposals of one search need not find out twice; none of it depends on who asked first.

    Args:
        context: Of the search.
    """

    def __init__(self, context: SearchContext) -> None:
        self.context = context
        self.features = PointFeatures(context)
        self.kernels = Kernels(columns=self.features.columns)
        self.mutants = Mutants(context)
        self._drawn: tuple[int, list[Point]] = (-1, [])
        self._order: tuple[tuple[int, ...], list[Point]] = ((), [])

    def drawn(self, count: int) -> list[Point]:
        """Give points drawn at random, the same ones for a while: what they cost is found out once.

        Args:
            count: Trials that ended.
        """
        since = milestone(count)
        if self._drawn[0] != since:
            rng = np.random.default_rng([self.context.seed, since])
            self._drawn = since, [sample(self.context.choices, rng) for _ in range(_DRAWN)]
        return self._drawn[1]

    def order(self, of: tuple[int, ...], find: Callable[[], list[Point]]) -> list[Point]:
        """Give points for a trial, the best first, which are found out once though one asks for several of them.

        Args:
            of: Tells the trial, and what was known when it was proposed.
            find: Finds them out.
        """
        if self._order[0] != of:
            self._order = of, find()
        return self._order[1]


class Pareto:
    """Proposes the point with the largest expected gain in hypervolume (EHVI; Emmerich et al., 2006).

    Only what a student learns is expensive to find out. Parameters and MACs are exact before training where the space
    has them in closed form; latency and size follow a model fitted to what was measured; a Gaussian process learns the
    rest.

    Args:
        memory: Of the search.
        seed: Of this proposal.
        startup_trials: Trials that are drawn at random first.
        rank: 0 proposes the best point, 1 the second best, and so on, for who weighs several.
    """

    def __init__(self, memory: Memory, *, seed: int, startup_trials: int = 6, rank: int = 0) -> None:
        if startup_trials < 2:
            raise ValueError(f"startup_trials must be at least 2, got {startup_trials}")
        self._memory = memory
        self._context = memory.context
        self._seed = seed
        self._startup_trials = startup_trials
        self._rank = rank

    def __call__(self, study: Study, trial: FrozenTrial) -> Point:
        """Propose a point."""
        evidence = Evidence.of(study, trial, self._context)
        of = self._seed, trial.number, len(evidence.points), len(evidence.pending)
        order = self._memory.order(of, lambda: self._ranked(evidence, number=trial.number))
        return order[min(self._rank, len(order) - 1)]

    def _ranked(self, evidence: Evidence, *, number: int) -> list[Point]:
        """Look at many points and sort them, the best first; at least one."""
        rng = np.random.default_rng(self._seed)
        pool = Pool(self._context, evidence.names, rng)
        whole = np.isfinite(evidence.loss_ND).all(axis=1).sum()
        memory = self._memory
        if whole < self._startup_trials:
            return self._begun(evidence, pool, rng) or [sample(self._context.choices, rng)]
        outlook = Outlook(evidence, self._context, memory.features, memory.kernels, rng, ranked=number % 2 == 0)
        points = pool.new(memory.drawn(len(evidence.points))) + pool.vary(
            outlook.parents, memory.mutants, since=len(evidence.points) // _MUTATED_EVERY
        )
        points = points or pool.draw()
        if not points:
            return [sample(self._context.choices, rng)]  # All that there is seems to be known.
        return pool.climb(points, outlook.gain(points), outlook.gain)

    def _begun(self, evidence: Evidence, pool: Pool, rng: np.random.Generator) -> list[Point]:
        """Sort points drawn at random, those first that the gate lets pass; also others where it refused some."""
        memory = self._memory
        beginning = Beginning(evidence, self._context, memory.features, memory.kernels, rng)
        points = pool.draw()
        if beginning.nearest:
            points += pool.vary(beginning.nearest, memory.mutants, since=len(evidence.points))
        if not points:
            return []
        likely_C = beginning.likely(points)
        if beginning.nearest:
            return pool.climb(points, likely_C, beginning.likely)
        return [points[int(place)] for place in np.argsort(-likely_C, kind="stable")]
