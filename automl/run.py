"""A search as it stands in its folder: what front, report, tracking and export read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from automl.attribution.contributions import Attribution
from automl.front.pareto_front import Member, ParetoFront
from automl.searching.rungs import RungRecord
from automl.transfer.warm_start import WarmStart
from search_spaces import Value
from trials.records import FIRST_TOKEN, METRICS_OF_COST, Latency, Limit, Outcome, Trial, TrialResult

PROXY_USED = "proxy"
"""Name of the fact in the study that says how candidates are ordered."""


@dataclass(frozen=True, kw_only=True)
class FinishedTrial:
    """A trial that ended, in whatever way.

    Args:
        trial: What was asked.
        result: What came.
        values: The choices as they were proposed, architecture and recipe together, by name.
        started: When it was proposed, UTC.
        ended: When its result was told, UTC.
        rungs: What it showed at each rung that it came to, and what was decided; empty without halving.
        proxies: Scores of the student before it was trained, by name of the proxy, the higher the better; empty
            without proxies, and where it was not trained.
    """

    trial: Trial
    result: TrialResult
    values: Mapping[str, Value]
    started: datetime
    ended: datetime
    rungs: tuple[RungRecord, ...] = ()
    proxies: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProxyUse:
    """How a search orders candidates before it trains one.

    Args:
        name: Of the proxy.
        candidates: For each trial, of which one is tried; 1 where the proxy is followed alone.
        followed: Further proxies, whose scores are kept and compared, and order nothing.
    """

    name: str
    candidates: int
    followed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FinalMeasurement:
    """What was measured of a candidate as the search ended, with training drained.

    Args:
        digest: Of the trained student.
        precision: Of the candidate.
        latency: Measured alone.
        metrics: The task's metrics on the test split, each as ``test_NAME``; of members of the front only.
        withdrawn: Whether it stands on no front any more: its files are gone, and it cannot be measured again beside
            those that are new.
    """

    digest: str
    precision: str
    latency: Latency
    metrics: Mapping[str, float] = field(default_factory=dict)
    withdrawn: bool = False

    def applied(self, member: Member) -> Member:
        """Give the member with these figures in place of the provisional ones."""
        metrics = {**member.metrics, **self.metrics, "latency_ms": self.latency.median_ms}
        if self.latency.first_token_ms is not None:
            metrics[FIRST_TOKEN] = self.latency.first_token_ms
        return replace(member, metrics=metrics, latency=self.latency)


@dataclass(frozen=True, kw_only=True)
class TeacherRecord:
    """What is known of a teacher before any trial.

    Args:
        name: As in the config.
        kind: How it was loaded: ``onnx``, ``train`` ...
        digest: Names its parameters.
        covers: What it may vote on, in words: ``style = left``, ``classes 0-4``, ``everything``.
        metric: What ``metrics`` and ``by_home`` are: ``accuracy``, or ``bits_per_byte`` of a language model.
        metrics: ``home`` and ``abroad`` (on validation rows that it covers and that it does not; absent where there are
            none).
        by_label: Accuracy by name of the class.
        by_home: The metric on the validation rows that each teacher covers, by the teacher's name.
    """

    name: str
    kind: str
    digest: str
    covers: str
    metrics: Mapping[str, float]
    by_label: Mapping[str, float] = field(default_factory=dict)
    by_home: Mapping[str, float] = field(default_factory=dict)
    metric: str = "accuracy"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One search, finished or not.

    Args:
        name: Of the run and of its MLflow experiment.
        folder: ``runs/NAME``.
        config_text: ``config.yaml`` as resolved.
        primary_metric: The task's first metric, which chooses the best student.
        primary_higher_is_better: Its direction; it need not be an objective.
        front: The front as it stands; its latencies are final where ``finished``.
        limits: What members keep.
        trials: Those that ended, by number.
        hypervolumes: Of the front after each ended trial, in the order in which they ended.
        teachers: Whom the students learn from.
        machine: What measured: processor, cores, memory, versions of libraries, by name.
        finished: Whether the search ended and the front was measured alone.
        tracking: How to see the run in MLflow: ``command`` to type (none where a server shows it already) and address
            of the ``charts``; empty before MLflow was reached.
        attributions: What teachers contributed to the students of some trials, by number of the trial.
        warm_start: What the search took over from an earlier run; None where it began afresh.
        measured: What was measured alone as the search ended, of members of the front and of those that contended.
        proxy: How candidates are ordered before training; None where they are not.
        num_open: Trials that were proposed and have not ended: they run, or wait for a search that was stopped.
    """

    name: str
    folder: Path
    config_text: str
    primary_metric: str
    primary_higher_is_better: bool
    front: ParetoFront
    limits: tuple[Limit, ...]
    trials: tuple[FinishedTrial, ...]
    hypervolumes: tuple[float, ...]
    teachers: tuple[TeacherRecord, ...]
    machine: Mapping[str, str]
    finished: bool
    tracking: Mapping[str, str] = field(default_factory=dict)
    attributions: tuple[Attribution, ...] = ()
    warm_start: WarmStart | None = None
    measured: tuple[FinalMeasurement, ...] = ()
    proxy: ProxyUse | None = None
    num_open: int = 0

    @property
    def num_proposed(self) -> int:
        """Trials that were proposed, ended or not."""
        return len(self.trials) + self.num_open

    def higher_is_better(self, metric: str) -> bool:
        """Tell the direction of a metric that pictures and picks may compare: costs fall, further ones rise."""
        directions = {self.primary_metric: self.primary_higher_is_better}
        directions |= {objective.metric: objective.higher_is_better for objective in self.front.objectives}
        return directions.get(metric, metric not in METRICS_OF_COST)

    def count(self, outcome: Outcome) -> int:
        """Count the trials that ended in one way."""
        return sum(finished.result.outcome is outcome for finished in self.trials)

    def counts(self) -> dict[str, int]:
        """Count the trials by how they ended, by the value of ``Outcome``; pruned ones only where there are any."""
        found = {outcome.value: self.count(outcome) for outcome in Outcome}
        return {name: count for name, count in found.items() if count or name != Outcome.PRUNED.value}
