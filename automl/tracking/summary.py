"""The end of a search in MLflow: members marked and logged as models, and one run that shows the front."""

import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from automl.front.pareto_front import Member
from automl.run import FinishedTrial, Run
from automl.run_folder import REPORT_FILE
from automl.tracking.experiment import Experiment
from automl.tracking.models import Example, model_file, send_model
from automl.tracking.proxy_rows import proxy_agreement_metrics
from automl.tracking.rows import (
    COLOR_TAG,
    FOLDER_TAG,
    FRONT_TAG,
    MAX_PARAM,
    MAX_VALUE,
    MEMBER,
    MEMBER_COLOR,
    NOT_MEMBER,
    NOTE_TAG,
    OTHER_COLOR,
    SUMMARY,
    SUMMARY_COLOR,
    TRIAL_TAG,
    MetricRow,
    RunRow,
    candidate_metrics,
    clip,
    member_suffix,
    milliseconds,
    safe_key,
)
from automl.tracking.rung_rows import agreement_metrics
from automl.tracking.tables import comma_separated, front_table, markdown, note
from automl.tracking.views import PICTURE_KEY, view_tags
from trials.records import Outcome

SUMMARY_NAME = "★ front"
PICTURE = "front.png"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What is sent when a search ends.

    Args:
        run: As it stands in its folder.
        files: Pictures and pages by name, such as ``front.png`` and ``front.html``; ``front.png`` is also shown among
            MLflow's charts.
        example: A few rows as the exported graphs take them; without them, no models are logged.
    """

    run: Run
    files: Mapping[str, bytes] = field(default_factory=dict)
    example: Example | None = None


def summary_steps(summary: Summary) -> list[tuple[str, Callable[[Experiment], None]]]:
    """Cut into steps what is sent when a search ends: the members' marks, the run that shows the front, each member.

    Each step may be sent again, and changes nothing then. The run comes before the members' models: it is what people
    look for, and it takes a moment where they take minutes.

    Args:
        summary: Of the search; its trials are all sent before.

    Returns:
        What each step sends, in words, and how.
    """
    trials = {finished.trial.number: finished for finished in summary.run.trials}
    steps: list[tuple[str, Callable[[Experiment], None]]] = [
        ("the marks of the front", partial(mark_trials, run=summary.run)),
        ("the summary of the front", partial(_send_front, summary=summary)),
    ]
    for member in summary.run.front.members:
        send = partial(_send_member, member=member, finished=trials[member.trial], example=summary.example)
        steps.append((f"trial {member.trial} in {member.precision}", send))
    students = {member.digest: member for member in summary.run.front.members}.values()
    return [*steps, *((f"files of trial {each.trial}", partial(_send_student, member=each)) for each in students)]


def _send_front(experiment: Experiment, summary: Summary) -> None:
    run = summary.run
    run_id = experiment.send_summary(summary_row(run, text=note(run, experiment.id)))
    _send_files(experiment, run_id, summary)
    suffixes = sorted({_suffix(run, member) for member in run.front.members} - {""})
    experiment.tag_experiment(
        view_tags(run.front.objectives, primary_metric=run.primary_metric, precisions=suffixes, final=run.finished)
    )
    experiment.describe(note(run, experiment.id, summary_id=run_id))


def mark_trials(experiment: Experiment, run: Run) -> None:
    """Say of each trained trial whether it stands on the front; trials that are marked rightly cost nothing.

    Args:
        experiment: Of the search.
        run: With its front.
    """
    precisions: dict[int, list[str]] = {}
    for member in run.front.members:
        precisions.setdefault(member.trial, []).append(member.precision)
    for finished in run.trials:
        number = finished.trial.number
        known = experiment.find(number, finished.trial.digest)
        if known is None or finished.result.outcome is not Outcome.TRAINED:
            continue
        front = MEMBER if number in precisions else NOT_MEMBER
        if front == known.front == NOT_MEMBER:
            continue
        color = MEMBER_COLOR if front == MEMBER else OTHER_COLOR
        tags = {FRONT_TAG: front, COLOR_TAG: color, "front_precisions": ", ".join(precisions.get(number, []))}
        experiment.tag(known, tags)


_LATENCY = "latency_ms"


def _send_member(experiment: Experiment, member: Member, finished: FinishedTrial, *, example: Example | None) -> None:
    known = experiment.find(member.trial, member.digest)
    if known is None:  # MLflow refused the trial, and the tracker has said so
        return
    model_id = None
    if example is not None:
        model_id = send_model(experiment, member, finished, run_id=known.run_id, example=example)
    suffix = member_suffix(finished.result, member.precision)
    named = candidate_metrics(member, suffix=suffix, logarithmic=experiment.logarithmic)
    moment_ms = milliseconds(finished.ended)
    # A latency may be measured again on another day; a model takes no second value of the same moment.
    measured_ms = max(moment_ms, member.latency.timestamp_ms)
    rows = [
        MetricRow(key=key, value=value, timestamp_ms=measured_ms if _LATENCY in key else moment_ms)
        for key, value in named.items()
    ]
    experiment.log(known.run_id, metrics=[row for row in rows if math.isfinite(row.value)], model_id=model_id)


def _send_student(experiment: Experiment, member: Member) -> None:
    folder = model_file(experiment.folder, member).parent
    if folder.is_dir() and experiment.summary_id is not None:
        experiment.client.log_artifacts(experiment.summary_id, str(folder), f"students/{member.digest}")
        experiment.on_progress()


def _suffix(run: Run, member: Member) -> str:
    result = next(finished.result for finished in run.trials if finished.trial.number == member.trial)
    return member_suffix(result, member.precision)


def summary_row(run: Run, *, text: str) -> RunRow:
    """Say everything about a search but its trials.

    Args:
        run: The search.
        text: What the run shows above its values, in Markdown.

    Returns:
        The row of the summary run.
    """
    ends = sorted(milliseconds(finished.ended) for finished in run.trials)
    start_ms = min((milliseconds(finished.started) for finished in run.trials), default=0)
    end_ms = ends[-1] if ends else start_ms
    metrics = [
        MetricRow(key="hypervolume", value=value, timestamp_ms=moment_ms, step=step)
        for step, (value, moment_ms) in enumerate(zip(run.hypervolumes, ends, strict=False), start=1)
        if math.isfinite(value)
    ]
    step = len(run.trials)
    counts = {f"trials_{name}": count for name, count in run.counts().items()}
    counts["front_members"] = len(run.front.members)
    metrics += [MetricRow(key=key, value=count, timestamp_ms=end_ms, step=step) for key, count in counts.items()]
    agreements = agreement_metrics(run)
    metrics += [MetricRow(key=safe_key(k), value=v, timestamp_ms=end_ms, step=epoch) for epoch, k, v in agreements]
    foretold = proxy_agreement_metrics(run)
    metrics += [MetricRow(key=safe_key(key), value=v, timestamp_ms=end_ms, step=step) for key, v in foretold]
    tags = {
        TRIAL_TAG: SUMMARY,
        FRONT_TAG: SUMMARY,
        COLOR_TAG: SUMMARY_COLOR,
        FOLDER_TAG: str(run.folder.resolve()),
        NOTE_TAG: text,
        "mlflow.source.name": "automl search",
        "finished": str(run.finished).lower(),
        **({} if run.warm_start is None else {"warm_start": run.warm_start.sentence()}),
        **{f"machine.{safe_key(name)}": value for name, value in run.machine.items()},
    }
    return RunRow(
        name=SUMMARY_NAME,
        start_ms=start_ms,
        end_ms=end_ms,
        status="FINISHED",
        tags={key: clip(value, MAX_VALUE) for key, value in tags.items()},
        # They stay as they are when a search goes on: MLflow takes no other value of a parameter later.
        params={"objectives": clip(", ".join(each.metric for each in run.front.objectives), MAX_PARAM)},
        metrics=metrics,
    )


def _send_files(experiment: Experiment, run_id: str, summary: Summary) -> None:
    run, rows = summary.run, front_table(summary.run)
    columns = list(rows[0]) if rows else []
    files = dict(summary.files)
    files["config.yaml"] = run.config_text.encode()
    files["machine.json"] = json.dumps(dict(run.machine), indent=2, sort_keys=True).encode()
    # The form of MLflow's tables, written here because its own call would append to the table that is there.
    table = {"columns": columns, "data": [[_rounded(value) for value in row.values()] for row in rows]}
    files["front_table.json"] = json.dumps(table).encode()
    files["front.csv"] = comma_separated(front_table(run, everything=True)).encode()
    files["front.md"] = markdown(rows).encode()
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            target = Path(scratch) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        experiment.client.log_artifacts(run_id, scratch)
    tables = json.dumps([{"path": "front_table.json", "type": "table"}])
    experiment.client.set_tag(run_id, "mlflow.loggedArtifacts", tables)
    if PICTURE in files:
        _send_picture(experiment, run_id, files[PICTURE], step=len(run.trials))


def send_report(experiment: Experiment, report: bytes) -> None:
    """Put a report in the place of the one that is there; without a run that shows the front there is none."""
    if experiment.summary_id is not None:
        with tempfile.TemporaryDirectory() as scratch:
            page = Path(scratch) / REPORT_FILE
            page.write_bytes(report)
            experiment.client.log_artifact(experiment.summary_id, str(page))


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value


def _send_picture(experiment: Experiment, run_id: str, picture: bytes, *, step: int) -> None:
    from PIL import Image

    names = [entry.path for entry in experiment.client.list_artifacts(run_id, "images")]
    if not any(name.startswith(f"images/{PICTURE_KEY}+step+{step}+") for name in names):
        experiment.client.log_image(run_id, Image.open(io.BytesIO(picture)), key=PICTURE_KEY, step=step)
