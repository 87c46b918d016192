"""What a study holds, as the pareto sampler reads it.

Shape letters: N = trials that ended, D = objectives.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from automl.samplers.context import SearchContext
from automl.samplers.stopped import Stopped
from search_spaces import Point
from trials.records import METRICS_OF_COST, Outcome

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What is known, in the order in which it came.

    Args:
        points: Of the trials that ended.
        loss_ND: As ``Objective.loss`` gives them; NaN where nothing is known, as of the accuracy of a student that was
            never trained. A trial that failed counts as one that learnt nothing, since the like of it may fail, too;
            one that was stopped at a rung counts as ``Stopped`` sees it.
        stopped_N: Which were stopped at a rung, so that their losses are estimates.
        excess: By limit, by which share of it each trial breaks it; NaN where nothing is known.
        pending: Points that were proposed and have not ended.
        names: Of all points, ended or not.
    """

    points: list[Point]
    loss_ND: Array
    stopped_N: NDArray[np.bool_]
    excess: Mapping[str, Array]
    pending: list[Point]
    names: frozenset[object]

    @classmethod
    def of(cls, study: Study, trial: FrozenTrial, context: SearchContext) -> "Evidence":
        """Read a study, but for the trial that is being proposed and those proposed after it."""
        before = [each for each in study.get_trials(deepcopy=False) if each.number != trial.number]
        ended = [each for each in before if each.state.is_finished()]
        ended.sort(key=lambda each: (each.datetime_complete, each.number))
        running = [each for each in before if not each.state.is_finished() and each.number < trial.number]
        stopped = Stopped(ended, context.objectives)
        return cls(
            points=[dict(each.params) for each in ended],
            loss_ND=np.array([_losses(each, context, stopped) for each in ended]).reshape(
                len(ended), len(context.objectives)
            ),
            stopped_N=np.array([each.state is TrialState.PRUNED for each in ended], dtype=bool),
            excess={
                str(limit): np.array([each.constraints.get(str(limit), np.nan) for each in ended])
                for limit in context.limits
            },
            pending=[dict(each.params) for each in running],
            names=frozenset(context.name(each.params) for each in before),
        )


def _losses(trial: FrozenTrial, context: SearchContext, stopped: Stopped) -> list[float]:
    if (loss_D := stopped.loss(trial)) is not None:
        return list(loss_D)
    trained = trial.user_attrs.get("outcome", Outcome.TRAINED.value) == Outcome.TRAINED.value
    if trial.state is not TrialState.COMPLETE or trial.values is None:
        return [np.nan if each.metric in METRICS_OF_COST else each.loss(each.floor) for each in context.objectives]
    return [
        objective.loss(value) if trained or objective.metric in METRICS_OF_COST else np.nan
        for objective, value in zip(context.objectives, trial.values, strict=True)
    ]
