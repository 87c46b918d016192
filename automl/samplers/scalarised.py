"""Several objectives as one number, for proposers that know one only.

Shape letters: N = trials that ended, D = objectives.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from automl.samplers.context import SearchContext
from automl.samplers.stopped import Stopped
from search_spaces import Values

_SLOPE = 0.05
"""Share of the sum beside the maximum, so that of two equal maxima the smaller sum wins (Knowles, 2006)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """A trial that ended, as proposers are told it.

    Args:
        number: Of the trial.
        values: Its active choices.
        loss_D: 0 at best, 1 at worst, as ``Objective.loss`` gives it; what was never trained stands at the floor, what
            was stopped at a rung where ``Stopped`` sees it. None where the trial failed.
        excess: By which share it breaks the limits, added up; 0 where it keeps them.
    """

    number: int
    values: Values
    loss_D: NDArray[np.float64] | None
    excess: float

    @classmethod
    def before(cls, study: Study, trial: FrozenTrial, context: SearchContext) -> "list[Told]":
        """Read what ended, in the order in which it did, but for the trial that is being proposed."""
        ended = [each for each in study.get_trials(deepcopy=False) if each.state.is_finished()]
        ended = [each for each in ended if each.number != trial.number]
        ended.sort(key=lambda each: (each.datetime_complete, each.number))
        stopped = Stopped(ended, context.objectives)
        return [cls._of(each, context, stopped) for each in ended]

    @classmethod
    def _of(cls, trial: FrozenTrial, context: SearchContext, stopped: Stopped) -> "Told":
        loss_D = stopped.loss(trial)
        if trial.state is TrialState.COMPLETE and trial.values is not None:
            loss_D = np.array([o.loss(value) for o, value in zip(context.objectives, trial.values, strict=True)])
        broken = [max(0.0, trial.constraints.get(str(limit), 0.0)) for limit in context.limits]
        excess = 0.0 if loss_D is None else float(sum(broken))
        return cls(number=trial.number, values=trial.params, loss_D=loss_D, excess=excess)


def random_weights(rng: np.random.Generator, num_objectives: int) -> NDArray[np.float64]:
    """Draw the weights of objectives, evenly from all that add up to 1."""
    return rng.dirichlet(np.ones(num_objectives))


def chebyshev(loss_ND: NDArray[np.float64], weight_D: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fold losses into one, to be minimised: the augmented Chebyshev scalarisation of ParEGO (Knowles, 2006, eq. 2).

    Under some weights each point of a front is the best of all, also where the front is not convex.

    Args:
        loss_ND: 0 at best.
        weight_D: Add up to 1.

    Returns:
        ``folded_N``.
    """
    weighted_ND = loss_ND * weight_D
    folded_N: NDArray[np.float64] = weighted_ND.max(axis=-1) + _SLOPE * weighted_ND.sum(axis=-1)
    return folded_N
