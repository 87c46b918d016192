"""What is asked of a trial and what comes back: records that travel between controller and workers."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from search_spaces import StudentSpec, plain_digest
from trials.recipe import Recipe

METRICS_OF_COST = ("latency_ms", "size_bytes", "params", "macs")
"""What a candidate costs; less is better. All other metrics are the task's."""

FIRST_TOKEN = "first_token_ms"  # noqa: S105 - a token of a text, no password
"""Metric of students that write: see ``Latency.first_token_ms``."""

LATENCY_MARGIN = 0.4
"""Share by which latency may come out too high while other trials run beside; nothing is refused within it."""


VARYING_SIZE = 128
"""Size given to a dimension that varies, as a sequence's length, when latency is measured and nobody says another."""


LEAST_ROUNDS = 6
"""Of measuring latency: both extremes of fewer values hold their median with less than 95 %."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A bound that a shipped student must keep.

    Args:
        metric: One of ``METRICS_OF_COST``, or a metric of the task.
        at_most: True for ``<=``, False for ``>=``.
        value: The bound, in the metric's unit.
    """

    metric: str
    at_most: bool
    value: float

    def excess(self, metrics: Mapping[str, float]) -> float:
        """Say by how much a candidate breaks the limit, in the metric's unit; at most 0 where it keeps it."""
        difference = metrics[self.metric] - self.value
        return difference if self.at_most else -difference

    def __str__(self) -> str:
        """Write it as the config does."""
        value = int(self.value) if float(self.value).is_integer() and abs(self.value) < 1e15 else self.value
        return f"{self.metric} {'<=' if self.at_most else '>='} {value!r}"


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Latency of one exported graph on one device.

    Args:
        median_ms: Median over the medians of its rounds, in milliseconds.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end.
        runs: Number of timed runs, in all rounds together.
        provisional: Whether other work ran beside it.
        device: The machine that measured.
        rounds: Number of rounds; the interval is of their medians. Records from before there were rounds have 1, and
            an interval of its runs, which is too narrow.
        timestamp_ms: When it was measured, since 1970; 0 in records from before that was written down.
        length: Tokens of each text; None where the inputs are no texts.
        first_token_ms: Of a student that writes, median of the time for a whole prompt of so many tokens, measured in
            the same way; ``median_ms`` is that of a token after the others. None of other students.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    provisional: bool
    device: str
    rounds: int = 1
    timestamp_ms: int = 0
    length: int | None = None
    first_token_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class LatencySettings:
    """Under which conditions latency is measured.

    Args:
        batch_size: Samples of one run.
        length: Tokens of a text; None takes as many as the student reads at most.
        threads: Threads that ONNX Runtime may use.
        provider: Execution provider: ``cpu`` or ``cuda``.
        rounds: Rounds that runs and time are spread over, each with the graph opened anew; ``LEAST_ROUNDS`` or more.
        warmup_runs: Runs that are not timed.
        min_runs: Timed runs at least.
        seconds: Time to go on timing for, in seconds.
    """

    batch_size: int = 1
    length: int | None = None
    threads: int = 1
    provider: str = "cpu"
    rounds: int = 9
    warmup_runs: int = 20
    min_runs: int = 100
    seconds: float = 0.3

    def __post_init__(self) -> None:
        """Check them."""
        if self.rounds < LEAST_ROUNDS:
            raise ValueError(f"rounds must be {LEAST_ROUNDS} or more, for an interval of 95 %; got {self.rounds}")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A student in one precision, measured as it would be shipped.

    Args:
        precision: ``float32`` or ``int8``.
        metrics: Value by name: the costs, and the task's metrics on the validation split.
        latency: How ``metrics["latency_ms"]`` was measured.
        parity_max_abs_difference: Of the logits from those of the trained module, on validation rows, for float32;
            None for other precisions, and before training.
        agreement_share: Share of validation rows on which the answer is that of float32, for other precisions; None for
            float32, and before training.
    """

    precision: str
    metrics: Mapping[str, float]
    latency: Latency
    parity_max_abs_difference: float | None = None
    agreement_share: float | None = None


def may_keep(candidate: Candidate, limits: Iterable[Limit]) -> bool:
    """Tell whether a candidate may keep the limits on costs, its latency taken ``LATENCY_MARGIN`` lower.

    This is what the gate asks of a student before it is trained; only training tells of the task's metrics.
    """
    hopeful = {**candidate.metrics, "latency_ms": candidate.latency.median_ms * (1 - LATENCY_MARGIN)}
    return all(limit.excess(hopeful) <= 0 for limit in limits if limit.metric in METRICS_OF_COST)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is asked: one student, one recipe.

    Args:
        number: Its number in the study.
        spec: The architecture.
        recipe: How to distil it.
        seed: Of weights, order of rows and everything else that chance decides.
        known_latency: What was measured before of the same architecture, by precision; not measured again.
    """

    number: int
    spec: StudentSpec
    recipe: Recipe
    seed: int
    known_latency: Mapping[str, Latency] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of (architecture, recipe, seed): the trained student's name everywhere."""
        return student_digest(self.spec, self.recipe, self.seed)


def student_digest(spec: StudentSpec, recipe: Recipe, seed: int) -> str:
    """Name a trained student by its architecture, recipe and seed, in twelve hexadecimal digits."""
    return plain_digest([spec.architecture_digest, recipe.digest, seed])


class Outcome(enum.Enum):
    """How a trial ended."""

    TRAINED = "trained"
    """A student was trained, exported and measured."""
    PRUNED = "pruned"
    """Stopped at a rung, where others did better; it was neither trained to the end nor exported."""
    INFEASIBLE = "infeasible"
    """Refused by the gate before training: every precision breaks a limit."""
    FAILED = "failed"
    """It crashed, or a value that must be a number is not one; it never joins the front."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one epoch of training looked like.

    Args:
        epoch: Counted from 1.
        losses: Mean of each term before its weight, by name.
        learning_rate: At the end of the epoch.
        seconds: Time it took.
        shares: Each term's share of the gradient, by name, at the first step of an epoch; they add up to 1.
        teacher_shares: Each teacher's share of the gradient of what teachers teach, by name, at the same step.
        shares_epoch: The epoch of that step: an earlier one where shares are carried on, as over epochs of few steps,
            which are not all measured; None counts as this one.
    """

    epoch: int
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float
    shares: Mapping[str, float] = field(default_factory=dict)
    teacher_shares: Mapping[str, float] = field(default_factory=dict)
    shares_epoch: int | None = None

    @property
    def has_own_shares(self) -> bool:
        """Whether its shares were measured in it, and not carried on from an earlier epoch."""
        return self.shares_epoch in (None, self.epoch)


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What came of a trial.

    Args:
        number: The trial's.
        digest: The trial's.
        outcome: How it ended.
        candidates: One a precision, the primary one first; of an infeasible trial those that the gate measured, without
            metrics of the task; of a pruned one the primary one alone, with those of its last rung; empty of a failed
            one.
        history: One record an epoch.
        seconds: From start to end.
        peak_memory_bytes: Of the worker, at its highest.
        error: Why it failed, with the traceback; empty otherwise.
    """

    number: int
    digest: str
    outcome: Outcome
    candidates: tuple[Candidate, ...] = ()
    history: tuple[EpochRecord, ...] = ()
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a student can do that was trained to be judged, and not to be shipped.

    Args:
        metrics: The task's metrics and details, by name of the rows that they were taken on; empty where it failed.
        error: Why it failed, with the traceback; empty otherwise.
    """

    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Artefacts:
    """Files of a trained student, by name, ready to be written: weights, graphs and what describes them."""

    files: Mapping[str, bytes] = field(default_factory=dict)
