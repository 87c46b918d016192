"""What MLflow is told of rungs: of each trial what it showed there, of each rung how well it foretold the end."""

from collections.abc import Iterator, Mapping

from automl.numbers import written
from automl.run import FinishedTrial, Run
from automl.searching.rung_agreement import rung_agreements
from automl.searching.rungs import RungRecord
from trials.records import METRICS_OF_COST, Outcome, TrialResult

RUNG = "rung/"
"""What the names of metrics at a rung start with; the step is the epoch."""


def rung_metrics(finished: FinishedTrial) -> Iterator[tuple[int, str, float]]:
    """Give epoch, name and value of each metric of the task at each rung."""
    for record in finished.rungs:
        yield from ((record.epoch, f"{RUNG}{name}", value) for name, value in _of_task(record).items())


def rung_tags(result: TrialResult) -> dict[str, str]:
    """Tell at which epoch a trial was stopped; nothing of others."""
    return {"pruned_at_epoch": str(len(result.history))} if result.outcome is Outcome.PRUNED else {}


def rung_lines(finished: FinishedTrial) -> list[str]:
    """Say in words, in Markdown, what a trial showed at its rungs."""
    lines = []
    for record in finished.rungs:
        shown = ", ".join(f"{name} {written(name, value)}" for name, value in _of_task(record).items())
        lines.append(f"- rung at epoch {record.epoch}: {shown}; {'went on' if record.goes_on else 'stopped'}")
    return ["", *lines] if lines else []


def agreement_metrics(run: Run) -> Iterator[tuple[int, str, float]]:
    """Give epoch, name and value of how well the order at each rung foretold that at the end."""
    for each in rung_agreements(run.trials, run.front.objectives, run.primary_metric):
        for name, found in (("standing", each.standing), (run.primary_metric, each.quality)):
            if found is not None:
                yield each.rung, f"{RUNG}spearman/{name}", found.spearman
                yield each.rung, f"{RUNG}kendall/{name}", found.kendall
        yield each.rung, f"{RUNG}compared", float(each.num_compared)


def _of_task(record: RungRecord) -> Mapping[str, float]:
    """Leave out costs, which do not change, and parts of a metric, such as its value by class."""
    metrics = record.candidate.metrics
    return {name: value for name, value in metrics.items() if name not in METRICS_OF_COST and "." not in name}
