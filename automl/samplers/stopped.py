"""What samplers learn of trials that were stopped at a rung.

Shape letters: D = objectives.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from automl.front.objectives import Objective, to_losses
from automl.study import stored

Array = NDArray[np.float64]


class Stopped:
    """Says what a student that was stopped would have come to: what it showed, and what others learnt after that rung.

    What others learnt is the median over those that went on to the end from the same rung. It is a low estimate: those
    that were stopped had more left to learn. Until one went on to the end, what a student showed counts as it is.

    Args:
        ended: Trials that ended, in whatever way.
        objectives: In the order of the values told.
    """

    def __init__(self, ended: Iterable[FrozenTrial], objectives: Sequence[Objective]) -> None:
        self._objectives = objectives
        gains: dict[int, list[Array]] = {}
        for trial in ended:
            if trial.state is TrialState.COMPLETE and trial.values is not None and (records := _records(trial)):
                last_D = np.array([each.loss(value) for each, value in zip(objectives, trial.values, strict=True)])
                for record in records:
                    gains.setdefault(record["rung"], []).append(self._loss(record) - last_D)
        self._gain = {rung: np.median(each, axis=0) for rung, each in gains.items()}

    def loss(self, trial: FrozenTrial) -> Array | None:
        """Give ``loss_D`` of a trial that was stopped; None of any other, and where a record of it lacks."""
        records = _records(trial)
        if trial.state is not TrialState.PRUNED or not records:
            return None
        shown_D = self._loss(records[-1])
        loss_D = np.maximum(shown_D - self._gain.get(records[-1]["rung"], 0.0), np.minimum(shown_D, 0.0))
        return loss_D if np.isfinite(loss_D).all() else None

    def _loss(self, record: Mapping[str, Any]) -> Array:
        (loss_D,) = to_losses([record["candidate"]["metrics"]], self._objectives)
        return np.asarray(loss_D)


def _records(trial: FrozenTrial) -> list[Mapping[str, Any]]:
    """Read the rungs of a trial as they are stored: a sampler reads all trials at each proposal."""
    return stored.record_of(trial.user_attrs, "rungs") or []
