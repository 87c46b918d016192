"""The teachers of a search before it starts: who is there, how good, and who is still to be trained."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.cluster.machine import trials_here
from automl.preparation.prepare import Prepared
from automl.teaching.answering import answering
from automl.teaching.asking import asked, texts_to_ask
from automl.teaching.cache_view import plan_lines, removal_line
from automl.teaching.caching import entries_of, plan_answers, probe_rows, wanted
from automl.teaching.fitting_heads import head_folder_name, unfitted
from automl.teaching.loading import load_one
from automl.teaching.schooling import Schooling, schooling
from automl.teaching.strength import metrics_of, strength_on
from automl.teaching.student_teachers import untrained_student_teacher
from automl.teaching.token_strength import home_and_abroad, unjudged
from teachers import LOGITS, CachePlan, OutputStore, Probe, Teacher, compute_shard, probe
from teachers.loading.endpoint import EndpointClassifier
from trials.export import stand_in
from trials.student import Student
from trials.tasks import LanguageModelling
from trials.tasks.language_modelling import tally_rows
from trials.templates import trace_once

_STRENGTH_ROWS = 512
"""Validation rows on which loaded teachers are judged, at most."""

_ASKED_TEXTS = 8
"""Of these, on how many a server is asked, whose answers may cost."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A teacher that is there.

    Args:
        metrics: ``home`` and ``abroad`` on some validation rows; absent where there are none, and where
            ``unfitted``.
        rows: Number of these rows.
        rows_per_second: How fast it answers.
        probe: What it gives, and how fast.
        teacher: As loaded.
        unfitted: Whether its head is still to be fitted.
        unjudged: Why nobody can tell how good it is; empty where it can be told.
    """

    metrics: Mapping[str, float]
    rows: int
    rows_per_second: float
    probe: Probe
    teacher: Teacher
    unfitted: bool = False
    unjudged: str = ""


def examine_teachers(prepared: Prepared) -> tuple[dict[int, Schooling], dict[int, Examined]]:
    """Load the teachers that are there and see how good they are.

    Args:
        prepared: The search.

    Returns:
        How those are trained that are not there yet, and what was found of the others, each by position.

    Raises:
        UserError: A teacher cannot be loaded, or does not fit the data.
    """
    config = prepared.config
    folder = config.runs / ".cache"
    features = wanted(prepared).features
    schoolings: dict[int, Schooling] = {}
    examined: dict[int, Examined] = {}
    for position, teacher in enumerate(config.teachers):
        trained = None
        if teacher.kind == "train":
            lesson = schooling(prepared, position)
            trained = folder / "teachers" / lesson.folder_name()
            if not trained.exists():
                schoolings[position] = lesson
                continue
        if teacher.kind == "sentence_encoder":
            place = folder / "teachers" / head_folder_name(prepared, position, unfitted(prepared, position))
            trained = place if place.exists() else None
        loaded = load_one(prepared, position, trained)
        with answering(prepared, position):
            if isinstance(loaded.model, EndpointClassifier):
                examined[position] = _ask(prepared, position, loaded, features)
            else:
                examined[position] = _examine(prepared, loaded, features, num_rows=_STRENGTH_ROWS)
        if teacher.kind == "sentence_encoder" and not trained:
            examined[position] = replace(examined[position], metrics={}, unfitted=True)
    return schoolings, examined


def stand_ins(
    prepared: Prepared, schoolings: Mapping[int, Schooling], examined: Mapping[int, Examined]
) -> tuple[Teacher, ...]:
    """Give all teachers in their order, an untrained one of the same architecture for each that is not there yet.

    Args:
        prepared: The search.
        schoolings: Teachers that are not there yet, by position.
        examined: The others.
    """
    teachers = {k: found.teacher for k, found in examined.items()}
    teachers |= {k: _untrained(prepared, k, lesson) for k, lesson in schoolings.items()}
    return tuple(teachers[k] for k in sorted(teachers))


def foresee(prepared: Prepared, teachers: Sequence[Teacher], examined: Mapping[int, Examined]) -> tuple[CachePlan, int]:
    """Plan what of the teachers' answers the search will keep, and count what is there already.

    Args:
        prepared: The search.
        teachers: All of them, as ``stand_ins`` gives them.
        examined: Those that are there.

    Returns:
        The plan, and bytes of it that earlier searches left.
    """
    needed = wanted(prepared)
    probes = [
        examined[k].probe if k in examined else _probe(prepared, k, teacher, needed.features)
        for k, teacher in enumerate(teachers)
    ]
    plan = plan_answers(prepared, probes, needed, trials=trials_here(prepared.config))
    if len(examined) < len(teachers):
        return plan, 0
    store = _store(prepared)
    entries = entries_of(prepared, teachers, plan)
    return entries.plan, max(0, entries.plan.num_bytes - entries.bytes_to_come(store, entries.missing(store)))


def cache_lines(prepared: Prepared, plan: CachePlan, teachers: Sequence[Teacher], *, bytes_there: int) -> Iterator[str]:
    """Say what of the teachers' answers the search will keep, and what must go for it.

    Args:
        prepared: The search.
        plan: As ``foresee`` gave it.
        teachers: All of them, trained or not.
        bytes_there: What earlier searches left of what is planned.
    """
    yield from plan_lines(prepared, plan, teachers, bytes_there=bytes_there)
    limit = prepared.config.cache.limit_bytes
    if line := removal_line(_store(prepared).used_bytes(), plan.num_bytes - bytes_there, limit_bytes=limit):
        yield line


def _store(prepared: Prepared) -> OutputStore:
    return OutputStore(prepared.config.runs / ".cache" / "outputs", limit_bytes=None)


def _untrained(prepared: Prepared, position: int, lesson: Schooling) -> Teacher:
    """Build a student that is not trained, with its graph, as the teacher's will be."""
    config, spec = prepared.config.teachers[position], lesson.trial.spec
    signature = prepared.setting.signature_of(spec)
    assert config.kind == "train"
    student = Student(lesson.space.build(spec, signature), signature=signature, statistics=lesson.statistics)
    template = trace_once(student, signature, name=(spec.architecture_digest, lesson.statistics))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "untrained.onnx"
        path.write_bytes(stand_in(template))
        loaded = untrained_student_teacher(
            path, student, config, None if prepared.dataset.of_tokens else lesson.reading
        )
    return loaded.teacher(config.name, prepared.coverages[config.name])


def _probe(prepared: Prepared, position: int, teacher: Teacher, features: tuple[str, ...]) -> Probe:
    threads = prepared.config.resources.threads
    with answering(prepared, position):
        found = probe(teacher, probe_rows(prepared.dataset), features, num_threads=threads)
    return replace(found, digest=f"to be trained, {position}")  # Two that are not trained yet look like one model.


def _ask(prepared: Prepared, position: int, teacher: Teacher, features: tuple[str, ...]) -> Examined:
    """Ask a server about a few texts, and take what it said of these for the teacher."""
    assert isinstance(teacher.model, EndpointClassifier)
    inputs = prepared.dataset.inputs
    texts = [inputs[row] for row in _some_rows(prepared, _ASKED_TEXTS)]
    started = time.perf_counter()
    loaded, _ = asked(prepared, position, teacher.model, texts)
    seconds = time.perf_counter() - started
    found = _examine(prepared, loaded.teacher(teacher.name, teacher.coverage), features, num_rows=_ASKED_TEXTS)
    share = len(texts_to_ask(prepared.dataset, teacher.coverage)) / len(prepared.dataset)
    return replace(found, rows_per_second=len(texts) / max(seconds * share, 1e-9))


def _some_rows(prepared: Prepared, most: int) -> NDArray[np.int64]:
    rows = prepared.dataset.splits["validation"]
    chosen: NDArray[np.int64] = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]
    return chosen


def _examine(prepared: Prepared, teacher: Teacher, features: tuple[str, ...], *, num_rows: int) -> Examined:
    dataset = prepared.dataset
    if reason := unjudged(teacher) if dataset.of_tokens else "":
        return _unjudged(prepared, teacher, features, reason)
    rows = _some_rows(prepared, dataset.rows_at_a_time(num_rows))
    inputs = dataset.inputs
    chosen = [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows]
    started = time.perf_counter()
    answers = compute_shard(teacher, chosen, num_classes=dataset.num_classes, dtype=prepared.config.cache.dtype)
    seconds = time.perf_counter() - started
    logits = answers[LOGITS]["values"].astype(np.float32)
    if isinstance(prepared.task, LanguageModelling):
        tally = tally_rows(logits, dataset.labels[rows], prepared.task.bytes_V)
        metrics = home_and_abroad(prepared, teacher.coverage, tally, rows)
    else:
        metrics = metrics_of(strength_on(dataset, rows, teacher, logits))
    return Examined(
        metrics=metrics,
        rows=len(rows),
        rows_per_second=len(rows) / max(seconds, 1e-9),
        probe=probe(teacher, probe_rows(dataset), features, num_threads=prepared.config.resources.threads),
        teacher=teacher,
    )


def _unjudged(prepared: Prepared, teacher: Teacher, features: tuple[str, ...], reason: str) -> Examined:
    """Look at a teacher of tokens of which nobody can tell how good it is."""
    found = probe(teacher, probe_rows(prepared.dataset), features, num_threads=prepared.config.resources.threads)
    speed = 1 / found.seconds_per_row if found.seconds_per_row else float("inf")
    return Examined(metrics={}, rows=0, rows_per_second=speed, probe=found, teacher=teacher, unjudged=reason)
