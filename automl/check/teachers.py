"""The teachers of a search before it starts: who is there, how good, and who is still to be trained."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from automl.answering import answering
from automl.caching import entries_of, plan_answers, probe_rows, wanted
from automl.machine import trials_here
from automl.preparation import Prepared
from automl.schooling import Schooling, schooling
from automl.student_teachers import untrained_student_teacher
from automl.teachers_strength import metrics_of, strength_on
from automl.teaching import load_teacher
from teachers import LOGITS, CachePlan, OutputStore, Probe, Teacher, compute_shard, probe
from trials.export import stand_in
from trials.student import Student
from trials.templates import trace_once

_STRENGTH_ROWS = 512
"""Validation rows on which loaded teachers are judged, at most."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A teacher that is there.

    Args:
        metrics: ``home`` and ``abroad``, accuracy on some validation rows; absent where there are none.
        rows: Number of these rows.
        rows_per_second: How fast it answers.
        probe: What it gives, and how fast.
        teacher: As loaded.
    """

    metrics: Mapping[str, float]
    rows: int
    rows_per_second: float
    probe: Probe
    teacher: Teacher


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
        loaded = load_teacher(prepared, position, trained)
        with answering(prepared, position):
            examined[position] = _examine(prepared, loaded, features)
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
    store = OutputStore(prepared.config.runs / ".cache" / "outputs", limit_bytes=None)
    entries = entries_of(prepared, teachers, plan)
    return entries.plan, max(0, entries.plan.num_bytes - entries.bytes_to_come(store, entries.missing(store)))


def _untrained(prepared: Prepared, position: int, lesson: Schooling) -> Teacher:
    """Build a student that is not trained, with its graph, as the teacher's will be."""
    signature, config = prepared.signature, prepared.config.teachers[position]
    assert config.kind == "train"
    student = Student(
        lesson.space.build(lesson.trial.spec, signature), signature=signature, statistics=lesson.statistics
    )
    template = trace_once(student, signature, name=(lesson.trial.spec.architecture_digest, lesson.statistics))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "untrained.onnx"
        path.write_bytes(stand_in(template))
        loaded = untrained_student_teacher(path, student, config, prepared.dataset.inputs)
    return loaded.teacher(config.name, prepared.coverages[config.name])


def _probe(prepared: Prepared, position: int, teacher: Teacher, features: tuple[str, ...]) -> Probe:
    threads = prepared.config.resources.threads
    with answering(prepared, position):
        found = probe(teacher, probe_rows(prepared.dataset), features, num_threads=threads)
    return replace(found, digest=f"to be trained, {position}")  # Two that are not trained yet look like one model.


def _examine(prepared: Prepared, teacher: Teacher, features: tuple[str, ...]) -> Examined:
    dataset = prepared.dataset
    rows = dataset.splits["validation"]
    rows = rows[np.linspace(0, len(rows) - 1, min(_STRENGTH_ROWS, len(rows))).astype(np.int64)]
    inputs = dataset.inputs
    chosen = [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows]
    started = time.perf_counter()
    answers = compute_shard(teacher, chosen, num_classes=dataset.num_classes, dtype=prepared.config.cache.dtype)
    seconds = time.perf_counter() - started
    strength = strength_on(dataset, rows, teacher, answers[LOGITS]["values"].astype(np.float32))
    return Examined(
        metrics=metrics_of(strength),
        rows=len(rows),
        rows_per_second=len(rows) / max(seconds, 1e-9),
        probe=probe(teacher, probe_rows(dataset), features, num_threads=prepared.config.resources.threads),
        teacher=teacher,
    )
