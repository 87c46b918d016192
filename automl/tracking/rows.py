"""What MLflow is told of a trial, as plain rows: no library, no network."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from automl.front.pareto_front import Member
from automl.masking import mask
from automl.numbers import counted, percent
from automl.run import FinishedTrial
from automl.searching.lopsided import sentence
from automl.tracking.proxy_rows import proxy_metrics
from automl.tracking.rung_rows import rung_lines, rung_metrics, rung_tags
from trials.division import imbalances
from trials.records import FIRST_TOKEN, METRICS_OF_COST, Candidate, Latency, Outcome, TrialResult

TRIAL_TAG = "automl.trial"
DIGEST_TAG = "digest"
FOLDER_TAG = "automl.run_folder"
FRONT_TAG = "front"
COLOR_TAG = "mlflow.runColor"
NOTE_TAG = "mlflow.note.content"

MEMBER, NOT_MEMBER, UNDECIDED = "member", "no", "undecided"
"""Values of the tag ``front`` of a trial; sorted upwards, the summary run (``all``) and the members come first."""
SUMMARY = "all"

MEMBER_COLOR, OTHER_COLOR, SUMMARY_COLOR = "#d62728", "#9aa5b1", "#e6a700"
"""MLflow draws a run's point in its own colour, so the front shows at once among the others."""

LOGARITHM = "log10/"
"""What the names of logarithms start with; MLflow's page puts names with a slash in a section of their own."""

PROVISIONAL = "latency_ms_provisional"
"""Name of a latency that was measured beside other work."""

SHARE, TEACHER_SHARE = "share/", "teacher_share/"
"""What the names of shares of the gradient start with, of a term and of a teacher, epoch by epoch."""

MAX_VALUE, MAX_PARAM, MAX_KEY = 7_000, 5_900, 250
"""Longest tag, parameter and name in characters; MLflow refuses a little more."""


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One value of one metric.

    Args:
        key: Its name.
        value: A finite number.
        timestamp_ms: Since 1970; the same when the row is sent again, so that MLflow sees that it is the same.
        step: Epoch or trial; 0 where there is only one.
    """

    key: str
    value: float
    timestamp_ms: int
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One MLflow run.

    Args:
        name: As the table shows it.
        start_ms: When it started, since 1970.
        end_ms: When it ended.
        status: ``FINISHED`` or ``FAILED``.
        tags: By name.
        params: By name, as text.
        metrics: In the order in which they are to be shown.
    """

    name: str
    start_ms: int
    end_ms: int
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[MetricRow] = ()


def milliseconds(moment: datetime) -> int:
    """Turn a moment into milliseconds since 1970, as MLflow counts."""
    return int(moment.timestamp() * 1000)


def trial_row(finished: FinishedTrial, *, folder: str, logarithmic: Collection[str] = ()) -> RunRow:
    """Say everything about a trial that ended.

    Args:
        finished: The trial, in whatever way it ended.
        folder: Of the run, absolute.
        logarithmic: Metrics that are shown by their logarithm too.

    Returns:
        Its row, the same for the same trial.
    """
    trial, result = finished.trial, finished.result
    trained = result.outcome is Outcome.TRAINED
    tags = {
        TRIAL_TAG: str(trial.number),
        DIGEST_TAG: trial.digest,
        FOLDER_TAG: folder,
        "architecture": f"{trial.spec.space} {trial.spec.architecture_digest}",
        "outcome": result.outcome.value,
        FRONT_TAG: UNDECIDED if trained else NOT_MEMBER,
        COLOR_TAG: OTHER_COLOR,
        "mlflow.source.name": "automl search",
        NOTE_TAG: describe(finished),
    }
    if result.error:
        tags["error"] = last_line(mask(result.error))
    tags |= rung_tags(result)
    if uneven := imbalances(trial.recipe, result.history):
        tags["lopsided"] = ", ".join(f"{each.kind} {each.name} {percent(each.share)}" for each in uneven)
    return RunRow(
        name=f"trial-{trial.number:04d}",
        start_ms=milliseconds(finished.started),
        end_ms=milliseconds(finished.ended),
        status="FAILED" if result.outcome is Outcome.FAILED else "FINISHED",
        tags={key: clip(value, MAX_VALUE) for key, value in tags.items()},
        params={safe_key(name): clip(str(value), MAX_PARAM) for name, value in finished.values.items()},
        metrics=_trial_metrics(finished, logarithmic),
    )


def _trial_metrics(finished: FinishedTrial, logarithmic: Collection[str]) -> list[MetricRow]:
    result, end_ms = finished.result, milliseconds(finished.ended)
    rows = []
    # MLflow's page lists metrics in the order in which they come: what the trial was for, before its course.
    for position, candidate in enumerate(_whole(result)):
        suffix = "" if position == 0 else f".{candidate.precision}"
        named = candidate_metrics(candidate, suffix=suffix, logarithmic=logarithmic)
        rows += [_row(key, value, end_ms) for key, value in named.items()]
    rows += [_row(key, value, end_ms, step=epoch) for epoch, key, value in rung_metrics(finished)]
    rows += [_row(key, value, end_ms) for key, value in proxy_metrics(finished).items()]
    rows += [_row("seconds", result.seconds, end_ms), _row("peak_memory_bytes", result.peak_memory_bytes, end_ms)]
    elapsed_seconds = 0.0
    for record in result.history:
        elapsed_seconds += record.seconds
        # When an epoch ended is not recorded; the sum of their times comes close and never exceeds the end.
        moment_ms = min(milliseconds(finished.started) + int(elapsed_seconds * 1000), end_ms)
        named = {f"loss/{name}": value for name, value in record.losses.items()}
        named |= {f"{SHARE}{name}": value for name, value in record.shares.items()}
        named |= {f"{TEACHER_SHARE}{name}": value for name, value in record.teacher_shares.items()}
        if record.shares_epoch is not None:  # Between measurements the last one is carried on.
            named["shares_epoch"] = record.shares_epoch
        named["learning_rate"] = record.learning_rate
        rows += [_row(key, value, moment_ms, step=record.epoch) for key, value in named.items()]
    return [row for row in rows if math.isfinite(row.value)]


def _whole(result: TrialResult) -> Sequence[Candidate]:
    """Give the candidates; of a trial that was stopped their costs alone, lest charts show it beside trained ones."""
    if result.outcome is not Outcome.PRUNED:
        return result.candidates
    return [
        replace(each, metrics={name: each.metrics[name] for name in METRICS_OF_COST if name in each.metrics})
        for each in result.candidates
    ]


def candidate_metrics(
    candidate: Candidate | Member, *, suffix: str, logarithmic: Collection[str] = ()
) -> dict[str, float]:
    """Name the metrics of a candidate as MLflow shows them.

    Args:
        candidate: With its metrics and how its latency was measured.
        suffix: Empty for the primary precision, else ``.int8`` or so.
        logarithmic: Metrics that are given by their logarithm too, as ``log10/...``: MLflow's charts have no
            logarithmic axes, and on a linear one the small students, which matter, lie on one spot.

    Returns:
        Value by name; latency that was measured beside other work is ``latency_ms_provisional``, and so is that of a
        first token.
    """
    named = {}
    # The task's metrics, then costs, then parts of a metric, such as its value by class.
    for name, value in sorted(candidate.metrics.items(), key=lambda of: ("." in of[0], of[0] in METRICS_OF_COST)):
        shown = f"{name}{_provisional(candidate.latency)}" if name in ("latency_ms", FIRST_TOKEN) else name
        named[safe_key(shown + suffix)] = float(value)
        if name in logarithmic and value > 0:
            named[safe_key(LOGARITHM + shown + suffix)] = math.log10(value)
    return named


def latency_name(latency: Latency) -> str:
    """Say under which name a latency is shown."""
    return f"latency_ms{_provisional(latency)}"


def _provisional(latency: Latency) -> str:
    return "_provisional" if latency.provisional else ""


def member_suffix(result: TrialResult, precision: str) -> str:
    """Say with what a precision's metrics end: nothing for the primary one, which comes first."""
    return "" if result.candidates and result.candidates[0].precision == precision else f".{precision}"


def describe(finished: FinishedTrial) -> str:
    """Write a trial down for people, in Markdown: first what came, since MLflow folds all but a few lines."""
    trial, result = finished.trial, finished.result
    lines = [f"**Trial {trial.number}: {result.outcome.value}** in {result.seconds:.1f} s · student `{trial.digest}`"]
    if result.error:
        lines += ["", "```", mask(result.error)[-5_000:], "```"]
    for imbalance in imbalances(trial.recipe, result.history):
        lines += ["", sentence(imbalance, finished)]
    lines += rung_lines(finished)
    for candidate in _whole(result):
        named = candidate_metrics(candidate, suffix="")
        lines += ["", f"- {candidate.precision}: {_listed({n: of for n, of in named.items() if '.' not in n})}"]
    spec = trial.spec
    shape = _listed({**spec.constants, **spec.values})
    lines += ["", f"Architecture `{spec.space}` `{spec.architecture_digest}`: {shape}"]
    losses = ", ".join(f"{term.weight:g} {term.name}" for term in trial.recipe.losses)
    lines += [
        "",
        f"Recipe `{trial.recipe.digest}`: {losses}; {counted(trial.recipe.epochs, 'epoch')}, seed {trial.seed}",
    ]
    return "\n".join(lines)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(
        f"{key} = {f'{value:.6g}' if isinstance(value, float) else value}" for key, value in values.items()
    )


def last_line(error: str) -> str:
    """Give the last line of a traceback that says anything."""
    return next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "")


def safe_key(name: str) -> str:
    """Make a name one that MLflow takes for metrics and parameters."""
    return re.sub(r"/+", "/", re.sub(r"[^\w\-. /]", "_", name)).strip("./ ")[:MAX_KEY] or "_"


def clip(text: str, limit: int) -> str:
    """Cut a text that is longer than MLflow takes, and show that it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _row(key: str, value: float, timestamp_ms: int, *, step: int = 0) -> MetricRow:
    return MetricRow(key=safe_key(key), value=float(value), timestamp_ms=timestamp_ms, step=step)
