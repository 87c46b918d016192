"""What MLflow is told of proxies: the scores of each trial, and how well each foretold what became of the students."""

from collections.abc import Iterator, Mapping

from automl.proxies.judge import Quality, proxy_agreements
from automl.run import FinishedTrial, Run

PROXY = "proxy/"
"""What the names of scores of untrained students start with."""


def proxy_metrics(finished: FinishedTrial) -> Mapping[str, float]:
    """Give the scores of a trial's student by name."""
    return {f"{PROXY}{name}": value for name, value in finished.proxies.items()}


def proxy_agreement_metrics(run: Run) -> Iterator[tuple[str, float]]:
    """Give how well each score foretold the quality: its rank correlation, and what it has more than ``params``."""
    quality = Quality(metric=run.primary_metric, higher_is_better=run.primary_higher_is_better)
    for each in proxy_agreements(run.trials, quality):
        figures = {"spearman": each.correlation, "lead": each.lead, "partial": each.partial}
        for name, interval in figures.items():
            yield f"{PROXY}{name}/{each.name}", interval.value
            yield f"{PROXY}{name}_low/{each.name}", interval.low
            yield f"{PROXY}{name}_high/{each.name}", interval.high
