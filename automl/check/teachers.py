"""The teachers of a search before it starts: who is there, how good, and who is still to be trained."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from automl.answering import answering
from automl.errors import UserError
from automl.nodes import CACHE_DTYPE
from automl.preparation import Prepared
from automl.schooling import Schooling, schooling
from automl.teaching import load_teachers
from teachers import OutputStore, Teacher, compute_shard, pack_key, plan_shards, teacher_strength

_STRENGTH_ROWS = 512
"""Validation rows on which loaded teachers are judged, at most."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A teacher that is there.

    Args:
        metrics: ``home`` and ``abroad``, accuracy on some validation rows; absent where there are none.
        rows: Number of these rows.
        rows_per_second: How fast it answers.
        kept: Whether its answers about all rows are in the cache.
    """

    metrics: Mapping[str, float]
    rows: int
    rows_per_second: float
    kept: bool


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
    store = OutputStore(folder / "outputs", limit_bytes=None)
    schoolings: dict[int, Schooling] = {}
    examined: dict[int, Examined] = {}
    teachers: list[Teacher] = []
    for position, teacher in enumerate(config.teachers):
        trained = {}
        if teacher.kind == "train":
            lesson = schooling(prepared, position)
            trained[teacher.name] = folder / "teachers" / lesson.folder_name()
            if not trained[teacher.name].exists():
                schoolings[position] = lesson
                continue
        loaded = _load(prepared, position, trained)
        with answering(prepared, position):
            examined[position] = _examine(prepared, loaded, store)
        teachers.append(loaded)
    if teachers and not schoolings and _is_packed(prepared, teachers, store):
        examined = {position: replace(found, kept=True) for position, found in examined.items()}
    return schoolings, examined


def _is_packed(prepared: Prepared, teachers: list[Teacher], store: OutputStore) -> bool:
    """Tell whether the answers of all teachers together are kept, so that no shard is needed."""
    shards = plan_shards(teachers, prepared.dataset.inputs, dtype=CACHE_DTYPE)
    return store.fault(pack_key(teachers, shards, num_classes=prepared.dataset.num_classes)) is None


def _load(prepared: Prepared, position: int, trained: Mapping[str, Path]) -> Teacher:
    """Load one teacher; a mistake is told with its place among all."""
    config = prepared.config
    alone = config.model_copy(update={"teachers": (config.teachers[position],)})
    try:
        (loaded,) = load_teachers(replace(prepared, config=alone), trained)
    except UserError as error:
        message = str(error).removeprefix(f"{error.place}: ")
        raise UserError(message, place=config.place("teachers", position)) from error
    return loaded


def _examine(prepared: Prepared, teacher: Teacher, store: OutputStore) -> Examined:
    dataset = prepared.dataset
    rows = dataset.splits["validation"]
    rows = rows[np.linspace(0, len(rows) - 1, min(_STRENGTH_ROWS, len(rows))).astype(np.int64)]
    inputs = dataset.inputs
    chosen = [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows]
    started = time.perf_counter()
    answers = compute_shard(teacher, chosen, num_classes=dataset.num_classes, dtype=CACHE_DTYPE)
    seconds = time.perf_counter() - started
    logits = answers["logits"].astype(np.float32)
    labels = teacher.coverage.labels
    if labels is not None and logits.shape[1] != len(labels):
        logits = logits[:, list(labels)]  # As the ensemble hears it.
    strength = teacher_strength(
        logits,
        dataset.labels[rows],
        coverage=teacher.coverage,
        class_names=dataset.class_names,
        columns={name: column[rows] for name, column in dataset.columns.items()},
    )
    metrics = {"home": strength.home, "abroad": strength.abroad}
    return Examined(
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        rows=len(rows),
        rows_per_second=len(rows) / max(seconds, 1e-9),
        kept=not store.missing(plan_shards([teacher], inputs, dtype=CACHE_DTYPE)),
    )
