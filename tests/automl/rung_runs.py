"""A search that was made up, as halving would have left it."""

from dataclasses import replace

from automl.front.pareto_front import pareto_front
from automl.run import FinishedTrial, Run
from automl.searching.rungs import RungRecord
from trials.records import METRICS_OF_COST, Candidate, Outcome

EPOCHS = (1, 4)
"""Of the rungs; the recipes have 12 epochs."""


def with_rungs(run: Run, *, stopped: dict[int, int]) -> Run:
    """Let the trained trials of a run have come to rungs.

    Args:
        run: Made up.
        stopped: Epoch of the rung at which a trial was stopped, by its number; others were trained to the end.
    """
    trials = tuple(_halved(finished, stopped.get(finished.trial.number)) for finished in run.trials)
    members = [member for member in run.front.members if member.trial not in stopped]
    front = pareto_front(members, run.front.objectives, run.limits)
    return replace(run, trials=trials, front=front)


def _halved(finished: FinishedTrial, stopped: int | None) -> FinishedTrial:
    result = finished.result
    if result.outcome is not Outcome.TRAINED:
        return finished
    epochs = [epoch for epoch in EPOCHS if stopped is None or epoch <= stopped]
    rungs = tuple(
        RungRecord(rung=epoch, epoch=epoch, candidate=_then(result.candidates[0], epoch), goes_on=epoch != stopped)
        for epoch in epochs
    )
    if stopped is not None:
        result = replace(
            result, outcome=Outcome.PRUNED, candidates=(rungs[-1].candidate,), history=result.history[:stopped]
        )
    return replace(finished, result=result, rungs=rungs)


def _then(candidate: Candidate, epoch: int) -> Candidate:
    """Give what a student could after some epochs: the same share of what it can at the end."""
    metrics = {
        name: value if name in METRICS_OF_COST else value * epoch / 12 for name, value in candidate.metrics.items()
    }
    return replace(candidate, metrics=metrics, parity_max_abs_difference=None)
