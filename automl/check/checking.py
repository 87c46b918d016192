"""Read everything that a search needs, train nothing, and say what the search would do."""

import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from automl.check.forecast import Forecast, forecast
from automl.check.input_notes import input_notes
from automl.check.losses import require_losses
from automl.check.report import CheckReport, DataCheck, RangeCheck, SpaceCheck, TeacherCheck
from automl.check.servers import require_cluster, silent_servers
from automl.check.space import Sampled, draw, limits_known_by_cost
from automl.check.teachers import Examined, cache_lines, examine_teachers, foresee, stand_ins
from automl.check.tokens import token_lines
from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import Prepared, at, prepare
from automl.preparation.recipe_checks import rows_without_teacher
from automl.preparation.teaching_checks import idle_hard_label
from automl.proxies.screening import require_proxies
from automl.run_folder import CONFIG_FILE
from automl.searching.batch_check import oversized_batch
from automl.searching.ranges import broken_limits, probes
from automl.searching.sampling import sampler_of
from automl.teaching.caching import require_memory
from automl.teaching.strength import describe_coverage
from automl.transfer.take_over import require_source
from teachers import MISSING_LABEL
from trials.records import METRICS_OF_COST, Candidate
from trials.run_trial import measure_untrained
from trials.sessions import require_provider

_MOST_VALUES = 8
"""Values of a column that are listed."""


def check(path: str | Path) -> CheckReport:
    """Look a search over before it starts.

    Args:
        path: Of the config.

    Returns:
        What it would work with, what it can reach, and what it will take; an estimate from a few students.

    Raises:
        UserError: The config, or what it names, is wrong, or no student keeps the limits.
        WorkFailed: A student that was tried out failed, as every trial would, or the cluster does not answer.
    """
    config = load_config(path)
    prepared = prepare(config)
    sampler_of(prepared)
    require_source(prepared)
    require_losses(prepared)
    require_proxies(prepared)
    require_cluster(config)
    with at(config, "latency", "provider"):  # of this machine too, where the search goes to another
        require_provider(config.latency.provider)
    schoolings, examined = examine_teachers(prepared)
    teachers = stand_ins(prepared, schoolings, examined)
    plan, bytes_there = foresee(prepared, teachers, examined) if teachers else (None, 0)
    if plan is not None:
        require_memory(prepared, plan)
    measured, probing_seconds = _measure(prepared)
    sampled = draw(prepared, measured)
    kept = plan is not None and bytes_there >= plan.num_bytes
    found = forecast(
        prepared,
        sampled,
        schoolings=schoolings,
        rows_per_second={} if kept else {k: teacher.rows_per_second for k, teacher in examined.items()},
        probing_seconds=probing_seconds,
        plan=plan,
        teacher_models=tuple(teacher.model for teacher in teachers),
        cached_bytes=bytes_there,
    )
    return CheckReport(
        path=str(path),
        name=config.name,
        notes=(*_notes(prepared, sampled, found), *input_notes(prepared, examined)),
        data=_data(prepared),
        teachers=tuple(_teacher_checks(prepared, examined, found, packed=plan.packed if kept and plan else ())),
        space=_space(prepared, sampled),
        cache=() if plan is None else tuple(cache_lines(prepared, plan, teachers, bytes_there=bytes_there)),
        ranges=ranges_of(prepared, list(measured.values())),
        forecast=found,
        once=not prepared.choices and found.trials == 1,
    )


def _teacher_checks(
    prepared: Prepared, examined: Mapping[int, Examined], found: Forecast, *, packed: Collection[int]
) -> Iterator[TeacherCheck]:
    for k, (name, coverage) in enumerate(prepared.coverages.items()):
        yield TeacherCheck(
            name=name,
            kind=prepared.config.teachers[k].kind,
            covers=describe_coverage(coverage, prepared.dataset.class_names),
            metrics=examined[k].metrics if k in examined else {},
            rows=examined[k].rows if k in examined else 0,
            training_seconds=found.schooling_seconds.get(k),
            kept=k in packed,
            metric="bits_per_byte" if prepared.dataset.of_tokens else "accuracy",
            unfitted=k in examined and examined[k].unfitted,
            unjudged=examined[k].unjudged if k in examined else "",
        )


def _measure(prepared: Prepared) -> tuple[dict[str, tuple[Candidate, ...]], float]:
    """Measure the ends of the space, by digest of the architecture, and refuse limits that nothing keeps."""
    started = time.perf_counter()
    measured = {}
    for probe in probes(prepared):
        try:
            measured[probe.spec.architecture_digest] = measure_untrained(probe, prepared.setting)
        except Exception as error:
            raise UserError(
                f"a student of space {probe.spec.space!r} cannot be exported and measured: "
                f"{type(error).__name__}: {error}; its values are {dict(probe.spec.values)}",
                place=prepared.config.place("student"),
            ) from error
    limits = prepared.config.limits
    if broken := broken_limits(limits, list(measured.values())):
        raise UserError("no student keeps\n  " + "\n  ".join(broken), place=prepared.config.place("limits"))
    return measured, time.perf_counter() - started


def _notes(prepared: Prepared, sampled: Sampled, found: Forecast) -> list[str]:
    """Tell of what a search would stop at, or a reader should know."""
    config = prepared.config
    notes = []
    if (config.folder / CONFIG_FILE).exists():
        notes.append(f"the run {config.folder} exists: search --resume goes on with it, search alone will refuse")
    existing = next(folder for folder in (config.runs.absolute(), *config.runs.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < found.cache_bytes - found.cached_bytes + 1e9:
        notes.append(f"only {free / 1e9:.1f} GB are free on the disk of {config.runs}")
    if sampled.unbuildable:
        notes.append(sampled.unbuildable)
    if sampled.share_kept == 0:
        notes.append(
            "no random student keeps the limits on params, MACs and bytes; narrow the space towards small ones"
        )
    train = prepared.dataset.splits["train"]
    if prepared.ensemble and (unheard := rows_without_teacher(config, prepared.dataset, prepared.ensemble)):
        notes.append(f"{unheard} of {len(train)} training rows have no teacher")
    notes += filter(None, (idle_hard_label(config, prepared.dataset), oversized_batch(prepared)))
    if config.address is not None:
        notes.append(f"the forecast is for this machine, not for the cluster at {config.address}")
    if config.resources.gpus and not torch.cuda.is_available():
        notes.append("the forecast was made without the GPUs that trials will have")
    return [*notes, *silent_servers(config)]


def _data(prepared: Prepared) -> DataCheck:
    dataset, config = prepared.dataset, prepared.config
    train = dataset.splits["train"]
    columns = {}
    for name, column in dataset.columns.items():
        values, counts = np.unique(column, return_counts=True)
        shown = [f"{value} {count}" for value, count in zip(values[:_MOST_VALUES], counts, strict=False)]
        columns[name] = ", ".join([*shown, *(["..."] if len(values) > _MOST_VALUES else [])])
    return DataCheck(
        kind=config.data.kind,
        inputs=_inputs(prepared),
        rows={name: len(rows) for name, rows in dataset.splits.items()},
        class_names=dataset.class_names,
        labelled=int((dataset.student_labels[train] != MISSING_LABEL).sum()),
        columns=columns,
        num_tokens=dataset.num_classes if dataset.of_tokens else 0,
        tokens=tuple(token_lines(prepared)),
    )


def _inputs(prepared: Prepared) -> str:
    """Say what a row is."""
    inputs = prepared.dataset.inputs
    if isinstance(inputs, list):
        return "texts"
    if prepared.documents is not None:
        return f"{len(prepared.documents):,} documents, packed into rows of {inputs.shape[1]} tokens"
    return f"{' × '.join(map(str, inputs.shape[1:]))} {inputs.dtype}"


def _space(prepared: Prepared, sampled: Sampled) -> SpaceCheck:
    params = [cost.params for cost in sampled.costs.values()]
    macs = [cost.macs for cost in sampled.costs.values()]
    return SpaceCheck(
        name=prepared.space.name,
        num_choices=sampled.num_choices,
        num_points=sampled.num_points,
        num_sampled=len(sampled.costs),
        params=(min(params), max(params)),
        macs=(min(macs), max(macs)),
        share_kept=sampled.share_kept if limits_known_by_cost(prepared.config.limits) else None,
    )


def ranges_of(prepared: Prepared, measured: list[tuple[Candidate, ...]]) -> tuple[RangeCheck, ...]:
    """Say what objectives, and what limits are on, can be: costs as measured, a task's metric from chance on."""
    config = prepared.config
    limits: dict[str, list[str]] = {}
    for limit in config.limits:
        limits.setdefault(limit.metric, []).append(str(limit))
    of_task = {metric.name: metric for metric in prepared.task.metrics}
    ranges = []
    for name in dict.fromkeys((*config.objectives, *limits)):
        if name in METRICS_OF_COST:
            values = [candidate.metrics[name] for group in measured for candidate in group]
        else:
            values = [of_task[name].chance, of_task[name].best]
        ranges.append(
            RangeCheck(
                metric=name,
                objective=name in config.objectives,
                low=min(values),
                high=max(values),
                measured=name in METRICS_OF_COST,
                limits=tuple(limits.get(name, ())),
            )
        )
    return tuple(ranges)
