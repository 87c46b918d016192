"""How good each teacher is, at home and abroad."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.cluster.executor import Executor, Share
from automl.cluster.nodes import logits_on_node
from automl.preparation.prepare import Prepared
from automl.run import TeacherRecord
from automl.teaching.answering import answering
from automl.teaching.caching import Entries
from teachers import CachedOutputs, Coverage, OutputStore, Strength, Teacher, teacher_strength
from trials.data import Dataset


def validation_logits(
    prepared: Prepared, shared: Sequence[Any], entries: Entries, executor: Executor, store: OutputStore
) -> dict[int, NDArray[np.float32]]:
    """Read what teachers say about the validation rows, and ask those whose logits are not kept.

    Args:
        prepared: Its data.
        shared: The teachers, as ``Executor.share`` gave them.
        entries: What is kept.
        executor: Where teachers are asked.
        store: Where answers are kept.

    Returns:
        Logits of each teacher by its position.
    """
    dataset, resources = prepared.dataset, prepared.config.resources
    rows = dataset.splits["validation"]
    packed = entries.plan.packed
    found = {}
    if packed:
        answers = CachedOutputs.open(store, entries.packs[0])
        kept = entries.heard.positions[rows]
        found = {k: answers.read(kept, teacher=position) for position, k in enumerate(packed)}
    inputs = [dataset.inputs[row] for row in rows] if isinstance(dataset.inputs, list) else dataset.inputs[rows]
    for k, teacher in enumerate(shared):
        if k not in found:
            arguments = teacher, inputs, dataset.num_classes, resources.threads
            name = f"teacher-{prepared.config.teachers[k].name}"
            task = executor.submit(logits_on_node, *arguments, share=Share(cpus=resources.cpus), name=name)
            with answering(prepared, k):
                (found[k],) = executor.run_all([task])
    return found


def judge_teacher(
    prepared: Prepared, position: int, teacher: Teacher, logits: NDArray[np.float32], homes: Mapping[str, Coverage]
) -> TeacherRecord:
    """Say how good a teacher is at home and abroad, on the validation rows.

    Args:
        prepared: Its data.
        position: Of the teacher in the config.
        teacher: As loaded.
        logits: What it says of the validation rows.
        homes: What each teacher covers, by name.
    """
    dataset = prepared.dataset
    strength = strength_on(dataset, dataset.splits["validation"], teacher, logits, homes=homes)
    return TeacherRecord(
        name=teacher.name,
        kind=prepared.config.teachers[position].kind,
        digest=teacher.digest[:12],
        covers=describe_coverage(teacher.coverage, dataset.class_names),
        metrics=metrics_of(strength),
        by_label={name: value for name, value in strength.by_class.items() if not math.isnan(value)},
        by_home={name: value for name, value in strength.by_home.items() if not math.isnan(value)},
    )


def strength_on(
    dataset: Dataset,
    rows: NDArray[np.int64],
    teacher: Teacher,
    logits: NDArray[np.float32],
    *,
    homes: Mapping[str, Coverage] | None = None,
) -> Strength:
    """Measure a teacher on some rows of the data.

    Args:
        dataset: With all labels.
        rows: Numbers of the rows.
        teacher: As loaded.
        logits: What it says of them, over all classes or over those that it covers.
        homes: What each teacher covers, by name, to see this one at home with each of them.
    """
    labels = teacher.coverage.labels
    if labels is not None and logits.shape[1] != len(labels):
        logits = logits[:, list(labels)]  # As the ensemble hears it.
    return teacher_strength(
        logits,
        dataset.labels[rows],
        coverage=teacher.coverage,
        class_names=dataset.class_names,
        columns={name: column[rows] for name, column in dataset.columns.items()},
        homes=homes,
    )


def metrics_of(strength: Strength) -> dict[str, float]:
    """Give the accuracy ``home`` and ``abroad``, as far as there are such rows."""
    metrics = {"home": strength.home, "abroad": strength.abroad}
    return {name: value for name, value in metrics.items() if not math.isnan(value)}


def describe_coverage(coverage: Coverage, class_names: tuple[str, ...]) -> str:
    """Say in words what a teacher covers."""
    parts = []
    if coverage.labels is not None:
        parts.append("classes " + ", ".join(class_names[label] for label in coverage.labels))
    if coverage.column is not None:
        parts.append(f"{coverage.column} = " + ", ".join(map(str, coverage.values)))
    return " and ".join(parts) or "everything"
