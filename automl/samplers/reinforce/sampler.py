"""Neural architecture search with reinforcement learning, for several objectives and many trials in flight."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.points import Point, first_new, other_points
from automl.samplers.reinforce.learner import Learner, Teaching, weights_of
from automl.samplers.reinforce.policy import one_thread
from automl.samplers.scalarised import Told

_DRAWN = 16
_TEMPERATURES = (1.0, 1.0, 2.0, 4.0)
"""Of one handful of points after the other, until one is new: a controller that is sure of itself repeats itself."""


class Memory:
    """The controller of a search, so that each proposal need not train it from the start.

    Args:
        context: Of the search.
    """

    def __init__(self, context: SearchContext) -> None:
        self.context = context
        self._learner: tuple[Teaching, Learner] | None = None

    def learner(self, told: list[Told], teaching: Teaching) -> Learner:
        """Give the controller that has learnt from some trials: the one at hand if it knows the first of them only."""
        if self._learner is None or self._learner[0] != teaching or not self._learner[1].knows_only(told):
            self._learner = teaching, Learner(self.context, teaching)
        learner, self._learner = self._learner[1], None  # One that breaks off halfway is not used again.
        learner.learn(told)
        self._learner = teaching, learner
        return learner


class Reinforce:
    """TODO."""

    def __init__(self, memory: Memory, *, seed: int, **options: Any) -> None:
        self._memory = memory
        self._context = memory.context
        self._seed = seed
        self._teaching = Teaching(**options)

    def __call__(self, study: Study, trial: FrozenTrial) -> Point:
        """Propose a point."""
        rng = np.random.default_rng(self._seed)
        learner = self._memory.learner(Told.before(study, trial, self._context), self._teaching)
        weight_D = weights_of(trial.number, len(self._context.objectives))
        known = other_points(study, trial, self._context)
        return first_new(self._drawn(learner, weight_D, rng), known, self._context, rng)

    def _drawn(self, learner: Learner, weight_D: Any, rng: np.random.Generator) -> Iterator[Point]:
        for temperature in _TEMPERATURES:
            with one_thread():
                drawn = learner.policy.draw(weight_D, rng, count=_DRAWN, temperature=temperature)
            yield from drawn
