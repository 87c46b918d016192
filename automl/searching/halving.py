"""Asynchronous successive halving for several objectives, of the stopping kind.

A trial that reaches a rung goes on if it is among the best 1/η of those that have reached it by then (ASHA: Li et al.,
2020, https://arxiv.org/abs/1810.05934); it waits for nobody, and one that was stopped is not taken up again. With
several objectives, the best are those of low non-dominated rank, then of high crowding distance (MO-ASHA: Schmucker et
al., 2021, https://arxiv.org/abs/2106.12639). In Li et al. a trial waits at its rung until it is promoted; here it is
decided at once, so that no checkpoint is kept of a trial that may never be wanted again.

Shape letters: N = trials that have reached a rung, D = objectives.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from automl.front.objectives import to_losses
from automl.front.ranking import places
from automl.searching.rungs import RungRecord, Rungs
from automl.searching.standing import Standing
from automl.study.ledger import Ledger
from trials.records import Candidate, Trial, TrialResult, may_keep


def is_among_best(loss_ND: NDArray[np.float64], *, reduction: int) -> bool:
    """Tell whether the last of some points goes on: whether fewer than N/η points, rounded up, come before it.

    Args:
        loss_ND: Of those that have reached the rung, the one that is decided about last; lower is better.
        reduction: η, at least 2.

    Returns:
        Always true for the first one, and false for one with a loss that is not finite.
    """
    if not np.isfinite(loss_ND[-1]).all():
        return False
    return bool(places(loss_ND)[-1] < math.ceil(len(loss_ND) / reduction))


class Halving:
    """Says how far a trial is trained next, and decides at each rung whether it goes on.

    What was decided is in the study before anything follows from it, so that a search that is stopped, in whatever way,
    decides nothing twice.

    Args:
        rungs: Where they stand.
        ledger: Keeps what was decided, earlier processes' decisions among it.
        standing: Of the search: by which objectives trials are compared, and what students must keep.
    """

    def __init__(self, rungs: Rungs, *, ledger: Ledger, standing: Standing) -> None:
        self._rungs = rungs
        self._ledger = ledger
        self._objectives = standing.objectives
        self._limits = standing.limits
        self._records = dict(ledger.rungs())

    def until_epoch(self, trial: Trial) -> int | None:
        """Give the epoch up to which a trial is trained next; None where no rung is left.

        A trial that starts again passes the rungs at which it went on before, or ends where it was to end.
        """
        known = self._records.get(trial.number, ())
        if known and not known[-1].goes_on:
            return known[-1].epoch
        reached = known[-1].epoch if known else 0
        return next((epoch for _, epoch in self._rungs.of(trial.recipe.epochs) if epoch > reached), None)

    def goes_on(self, trial: Trial, result: TrialResult) -> bool:
        """Decide about a trial that has come to a rung, and write it down.

        Args:
            trial: What was asked.
            result: PRUNED, as it ends if it ends there; all objectives are measured.
        """
        (candidate,) = result.candidates
        known = self._records.get(trial.number, ())
        if known and not known[-1].goes_on:  # Decided before the process that decided it was killed.
            return False
        epoch = len(result.history)
        rung = next(name for name, at in self._rungs.of(trial.recipe.epochs) if at == epoch)
        rivals = [*self._rivals(rung, candidate), candidate]
        losses_ND = to_losses([each.metrics for each in rivals], self._objectives)
        goes_on = is_among_best(losses_ND, reduction=self._rungs.reduction)
        record = RungRecord(rung=rung, epoch=epoch, candidate=self._in_short(candidate), goes_on=goes_on)
        self._records[trial.number] = (*known, record)
        self._ledger.write_rungs(trial.number, self._records[trial.number])
        return goes_on

    def _in_short(self, candidate: Candidate) -> Candidate:
        """Leave out parts of a metric, such as its value by class: a sampler reads all rungs at each proposal."""
        compared = {objective.metric for objective in self._objectives}
        kept = {name: value for name, value in candidate.metrics.items() if "." not in name or name in compared}
        return replace(candidate, metrics=kept)

    def _rivals(self, rung: int, candidate: Candidate) -> list[Candidate]:
        """Give whom a candidate is compared with.

        The gate has refused what cannot keep the limits. Limits may have been tightened since others passed it: these
        hold nobody back who keeps them.
        """
        reached = [record.candidate for known in self._records.values() for record in known if record.rung == rung]
        if not may_keep(candidate, self._limits):
            return reached
        return [each for each in reached if may_keep(each, self._limits)]
