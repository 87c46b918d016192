"""What a study holds, as the pareto sampler reads it.

Shape letters: N = trials that ended, D = objectives.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from automl.front.objectives import to_losses
from automl.samplers.context import SearchContext
from automl.study import stored
from search_spaces import Point
from trials.records import METRICS_OF_COST, Outcome

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What is known, in the order in which it came.

    Args:
        points: Of the trials that ended.
        loss_ND: As ``Objective.loss`` gives them; NaN where nothing is known, as of the accuracy of a student that was
            never trained, or not to its end. A trial that failed counts as one that learnt nothing, since the like of
            it may fail, too.
        early_ND: Losses at the rung to which most came; NaN of trials that did not come there.
        excess: By limit, by which share of it each trial breaks it; NaN where nothing is known.
        pending: Points that were proposed and have not ended.
        pending_early_PD: As ``early_ND``, of these.
        names: Of all points, ended or not.
    """

    points: list[Point]
    loss_ND: Array
    early_ND: Array
    excess: Mapping[str, Array]
    pending: list[Point]
    pending_early_PD: Array
    names: frozenset[object]

    @classmethod
    def of(cls, study: Study, trial: FrozenTrial, context: SearchContext) -> "Evidence":
        """Read a study, but for the trial that is being proposed and those proposed after it."""
        before = [each for each in study.get_trials(deepcopy=False) if each.number != trial.number]
        ended = [each for each in before if each.state.is_finished()]
        ended.sort(key=lambda each: (each.datetime_complete, each.number))
        running = [each for each in before if not each.state.is_finished() and each.number < trial.number]
        rung = _busiest(ended)
        return cls(
            points=[dict(each.params) for each in ended],
            loss_ND=np.array([_losses(each, context) for each in ended]).reshape(len(ended), len(context.objectives)),
            early_ND=_early(ended, context, rung=rung),
            excess={
                str(limit): np.array([each.constraints.get(str(limit), np.nan) for each in ended])
                for limit in context.limits
            },
            pending=[dict(each.params) for each in running],
            pending_early_PD=_early(running, context, rung=rung),
            names=frozenset(context.name(each.params) for each in before),
        )


def _losses(trial: FrozenTrial, context: SearchContext) -> list[float]:
    if trial.state is TrialState.PRUNED and (records := _rungs(trial)):
        (loss_D,) = to_losses([records[-1]["candidate"]["metrics"]], context.objectives)
        return [
            float(loss) if objective.metric in METRICS_OF_COST else np.nan
            for objective, loss in zip(context.objectives, loss_D, strict=True)
        ]
    trained = trial.user_attrs.get("outcome", Outcome.TRAINED.value) == Outcome.TRAINED.value
    if trial.state is not TrialState.COMPLETE or trial.values is None:
        return [np.nan if each.metric in METRICS_OF_COST else each.loss(each.floor) for each in context.objectives]
    return [
        objective.loss(value) if trained or objective.metric in METRICS_OF_COST else np.nan
        for objective, value in zip(context.objectives, trial.values, strict=True)
    ]


def _busiest(ended: list[FrozenTrial]) -> int | None:
    """Find the rung to which most trials came, the first of several; None without any."""
    counts = Counter(record["rung"] for trial in ended for record in _rungs(trial))
    return min(counts, key=lambda rung: (-counts[rung], rung), default=None)


def _early(trials: list[FrozenTrial], context: SearchContext, *, rung: int | None) -> Array:
    early_ND = np.full((len(trials), len(context.objectives)), np.nan)
    for row, trial in enumerate(trials):
        for record in _rungs(trial):
            if record["rung"] == rung:
                (early_ND[row],) = to_losses([record["candidate"]["metrics"]], context.objectives)
    return early_ND


def _rungs(trial: FrozenTrial) -> list[Mapping[str, Any]]:
    """Read the rungs of a trial as they are stored: a sampler reads all trials at each proposal."""
    return stored.record_of(trial.user_attrs, "rungs") or []
