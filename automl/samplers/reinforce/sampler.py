"""Neural architecture search with reinforcement learning, for several objectives and many trials in flight.

Shape letters: D = objectives.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.points import first_new, other_points
from automl.samplers.reinforce.learner import Learner, Teaching, weights_of
from automl.samplers.reinforce.policy import one_thread
from automl.samplers.scalarised import Told
from search_spaces import Point

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
    """Draws a point from a recurrent controller that is trained by policy gradient (Zoph and Le, 2016).

    https://arxiv.org/abs/1611.01578

    The controller decides one choice after the other, each in sight of those before. Each trial that ends moves its
    parameters θ along the gradient of section 3.2, by Adam, over the m trials that ended last::

        1/m Σ_i A_i ∇ log P(a_i | w_i; θ)  +  β/m Σ_i ∇ H(w_i; θ)

    a_i are the decisions of a trial, A_i is its reward less the moving average of those before, H the entropy of the
    decisions on the way, which keeps the controller from settling early (Mnih et al., 2016, section 4).

    Several objectives: each trial is proposed for weights w of its own, which follow from its number. The controller is
    shown them, and the reward is minus the augmented Chebyshev scalarisation under them; so one controller learns the
    whole front (Lin et al., 2022, https://arxiv.org/abs/2203.15386). The moving average is taken of what each trial
    before would have got under the weights of this one: what is easy to get under some weights is hard under others.

    Beside the entropy and the weights this differs from the paper: advantages are divided by the spread of rewards, so
    that one learning rate fits all tasks; each trial takes part in m updates, since hundreds of trials must do where
    the paper has thousands; and no point is proposed twice, others are drawn instead. Trials in flight come from
    earlier parameters, as those of the paper's replicas do; their gradient is taken at the parameters of now, without
    importance weights. The parameters begin the same in every search: chance is in the drawing.

    Args:
        memory: Of the search.
        seed: Of this proposal.
        options: Those of ``Teaching``.
    """

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

    def _drawn(self, learner: Learner, weight_D: NDArray[np.float64], rng: np.random.Generator) -> Iterator[Point]:
        for temperature in _TEMPERATURES:
            with one_thread():
                drawn = learner.policy.draw(weight_D, rng, count=_DRAWN, temperature=temperature)
            yield from drawn
