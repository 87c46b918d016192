"""What a sampler is told of limits: by how much each trial breaks those of now, under whichever ones it ended."""

import copy
from collections.abc import Container, Sequence

import optuna
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY  # Where ``Trial.set_constraint`` writes.
from optuna.trial import FrozenTrial, TrialState

from automl.study import stored
from trials.records import METRICS_OF_COST, Limit, Outcome, TrialResult, may_keep


class LimitedStudy(optuna.Study):
    """A study whose trials carry the constraints of the limits of now.

    A study takes no change of a trial that has ended, so what was told of limits stays in the storage as it was. A
    resumed search may have others. What a trial breaks of these follows from its result, which the study holds; it is
    given to samplers here, as they read trials.

    Args:
        study: The same study, as it is in its storage.
        limits: Those of now.
    """

    def __init__(self, study: optuna.Study, *, limits: Sequence[Limit]) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler)
        self._limits = tuple(limits)
        self._known: dict[int, FrozenTrial] = {}

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        """Give the trials; all samplers read them by this."""
        found = super()._get_trials(deepcopy=False, states=states, use_cache=use_cache)
        judged = (TrialState.COMPLETE, TrialState.PRUNED)
        seen = [self._of_now(trial) if trial.state in judged else trial for trial in found]
        return copy.deepcopy(seen) if deepcopy else seen

    def _of_now(self, trial: FrozenTrial) -> FrozenTrial:
        if trial.number not in self._known:  # It has ended and changes no more.
            self._known[trial.number] = under(trial, self._limits)
        return self._known[trial.number]


def under(trial: FrozenTrial, limits: Sequence[Limit]) -> FrozenTrial:
    """Give a trial as it would stand in the study if it had ended under some limits.

    One that the gate refused under others stays as it was told, infeasible, where these would let it be trained: it
    never was, so that nobody knows what it breaks.

    Args:
        trial: COMPLETE or PRUNED, with its result.
        limits: To judge it by.
    """
    result = stored.result.validate_python(stored.record_of(trial.user_attrs, "result"))
    if result.outcome is Outcome.INFEASIBLE and not still_refused(result, limits):
        return trial
    constraints = {f"{_CONSTRAINTS_KEY}:{name}": excess for name, excess in excesses(result, limits).items()}
    others = {key: value for key, value in trial.system_attrs.items() if not key.startswith(f"{_CONSTRAINTS_KEY}:")}
    if trial.system_attrs == {**others, **constraints}:
        return trial
    changed = copy.copy(trial)
    changed.system_attrs = {**others, **constraints}
    return changed


def still_refused(result: TrialResult, limits: Sequence[Limit]) -> bool:
    """Tell whether the gate would refuse, under some limits, a student that it refused under others."""
    return not any(may_keep(candidate, limits) for candidate in result.candidates)


def excesses(result: TrialResult, limits: Sequence[Limit]) -> dict[str, float]:
    """Say by how much the candidate that breaks least breaks each limit: one precision that keeps all is enough.

    Samplers add up what is broken, so it is told as shares of the limits: bytes must not drown milliseconds. What only
    training tells is left out where a trial was stopped: it might have kept these.
    """
    if result.outcome is Outcome.PRUNED:
        limits = [limit for limit in limits if limit.metric in METRICS_OF_COST]
    found = [
        {
            str(limit): limit.excess(candidate.metrics) / (abs(limit.value) or 1.0)
            for limit in limits
            if limit.metric in candidate.metrics
        }
        for candidate in result.candidates
    ]
    return min(found, key=lambda excess: sum(max(0.0, share) for share in excess.values()))
