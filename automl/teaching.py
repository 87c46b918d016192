"""Teachers made ready for a search: trained where they must be, loaded, asked about every row, judged."""

import math
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.answering import answer_all, answering, probe_all
from automl.caching import Entries, entries_of, plan_answers, plan_lines, wanted
from automl.config.teachers import Teacher as TeacherConfig
from automl.errors import UserError, WorkFailed
from automl.executor import Executor, Share
from automl.nodes import CachePlace, logits_on_node
from automl.preparation import Prepared, at
from automl.run import TeacherRecord
from automl.schooling import schooling
from automl.student_teachers import load_student_teacher
from automl.students import write_folder
from search_spaces.imports import import_object
from teachers import (
    LOADERS,
    CachedOutputs,
    Coverage,
    LoadedModel,
    OutputStore,
    Preprocessing,
    Teacher,
    pack,
    teacher_strength,
)
from trials.description import read_description
from trials.records import Artefacts, Outcome
from trials.run_trial import run_trial


def train_teachers(prepared: Prepared, executor: Executor, folder: Path) -> dict[str, Path]:
    """Train the teachers that are to be trained first, unless an earlier search did.

    Args:
        prepared: The config's teachers of kind ``train``.
        executor: Where they are trained, at the same time.
        folder: Where their files are kept, each in a folder that names all that it depends on.

    Returns:
        Folder of each, by name; each holds what an exported student holds.

    Raises:
        WorkFailed: Training one of them failed.
    """
    folders: dict[str, Path] = {}
    tasks = {}
    for position, teacher in enumerate(prepared.config.teachers):
        if teacher.kind != "train":
            continue
        schooled = schooling(prepared, position)
        folders[teacher.name] = folder / schooled.folder_name()
        if not folders[teacher.name].exists():
            setting = replace(
                prepared.setting,
                space=schooled.space,
                dataset=schooled.lessons,
                ensemble=None,
                teachers=None,
                precisions=("float32",),
                limits=(),
            )
            share = Share(cpus=prepared.config.resources.cpus, gpus=prepared.config.resources.gpus)
            tasks[teacher.name] = executor.submit(run_trial, schooled.trial, setting, share=share, name=teacher.name)
    failures = []
    for name, (result, artefacts) in zip(tasks, executor.run_all(list(tasks.values())), strict=True):
        if result.outcome is Outcome.TRAINED:
            _keep(folders[name], artefacts)  # The others need not be trained again.
        else:
            failures.append(f"training teacher {name!r} failed:\n{result.error}")
    if failures:
        raise WorkFailed("\n".join(failures))
    return folders


def _keep(folder: Path, artefacts: Artefacts) -> None:
    """Write a trained teacher, unless another search that trained the same one was faster; its files stay."""
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.new")
    write_folder(draft, artefacts)
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.exists():
            raise


def load_teachers(prepared: Prepared, trained: Mapping[str, Path]) -> list[Teacher]:
    """Load all teachers, in the order of the config.

    Args:
        prepared: The config's teachers.
        trained: Folders of those that were trained first.

    Raises:
        UserError: One cannot be loaded, or knows other classes than the data has.
    """
    loaded = []
    for position, teacher in enumerate(prepared.config.teachers):
        with at(prepared.config, "teachers", position):
            coverage = prepared.coverages[teacher.name]
            if teacher.kind in ("train", "run"):
                path = trained[teacher.name] if teacher.kind == "train" else teacher.path
                coverage = _students_coverage(path, coverage, prepared.dataset.class_names)
                model = load_student_teacher(path, teacher, prepared.dataset.inputs)
            else:
                model = _load(teacher, coverage, prepared.dataset.class_names)
            loaded.append(model.teacher(teacher.name, coverage))
    return loaded


def _students_coverage(folder: Path, coverage: Coverage, class_names: tuple[str, ...]) -> Coverage:
    """Match the classes of an exported student with those of the data by name."""
    known = read_description(folder)["class_names"]
    assert isinstance(known, list)
    if foreign := [name for name in known if name not in class_names]:
        raise ValueError(
            f"it knows classes {', '.join(foreign)} that the data does not have; the data has {', '.join(class_names)}"
        )
    labels = tuple(class_names.index(name) for name in known)
    if len(labels) < len(class_names):
        if coverage.labels is not None and coverage.labels != labels:
            raise ValueError(
                f"it knows the classes {', '.join(known)}; let covers.labels be these, in this order, or leave it out"
            )
        coverage = replace(coverage, labels=labels)
    elif labels != tuple(range(len(class_names))):
        raise ValueError(
            f"it knows the classes in the order {', '.join(known)}, the data has {', '.join(class_names)}; "
            "name them alike"
        )
    return coverage


def _load(teacher: TeacherConfig, coverage: Coverage, class_names: tuple[str, ...]) -> LoadedModel:
    arguments = {
        name: getattr(teacher, name)
        for name in type(teacher).model_fields
        if name not in ("kind", "name", "covers", "preprocessing")
    }
    if teacher.kind == "factory":
        arguments["factory"] = import_object(teacher.factory)
    if teacher.kind == "estimator":
        arguments |= {"class_names": class_names, "labels": coverage.labels}
    preprocessing = getattr(teacher, "preprocessing", None)
    if preprocessing is not None:
        arguments["preprocessing"] = Preprocessing(**dict(preprocessing))
    return LOADERS[teacher.kind](**arguments)


def fill_cache(
    prepared: Prepared,
    teachers: Sequence[Teacher],
    executor: Executor,
    store: OutputStore,
    *,
    leases: ExitStack,
    say: Callable[[str], None],
) -> tuple[CachePlace, list[TeacherRecord], int]:
    """Plan what is kept of the teachers' answers, ask for what is missing, on the whole cluster, and judge teachers.

    Args:
        prepared: Its data set and recipe.
        teachers: As loaded.
        executor: Where they answer.
        store: Where answers are kept.
        leases: Keeps them from eviction until it is closed.
        say: Is told the plan, before anything is computed.

    Returns:
        Where trials hear the teachers; what is known of each teacher; how many shards had to be computed.

    Raises:
        UserError: The answers of a teacher do not fit the data, or it lacks a feature.
    """
    needed = wanted(prepared)
    shared = [executor.share(teacher) for teacher in teachers]
    probes = probe_all(prepared, shared, needed.features, executor)
    entries = entries_of(prepared, teachers, plan_answers(prepared, probes, needed))
    leases.enter_context(store.lease(entries.leased))
    missing = entries.missing(store)
    to_come = entries.bytes_to_come(store, missing)
    for line in plan_lines(prepared, entries.plan, bytes_there=entries.plan.num_bytes - to_come):
        say(line)
    try:
        store.make_room(to_come)
    except ValueError as error:
        raise UserError(str(error), place=prepared.config.place("cache", "gb")) from error
    answer_all(prepared, shared, missing, executor, store)
    packed = [teachers[k] for k in entries.plan.packed]
    for shards in entries.logits.values():
        pack(store, shards, packed, num_classes=prepared.dataset.num_classes)
    judged = _validation_logits(prepared, shared, entries, executor, store)
    homes = {teacher.name: teacher.coverage for teacher in teachers}
    records = [_judge(prepared, k, teacher, judged[k], homes) for k, teacher in enumerate(teachers)]
    place = CachePlace.of(store, entries, teachers, executor=executor, num_classes=prepared.dataset.num_classes)
    return place, records, len(missing)


def _validation_logits(
    prepared: Prepared, shared: Sequence[Any], entries: Entries, executor: Executor, store: OutputStore
) -> dict[int, NDArray[np.float32]]:
    """Read what teachers say about the validation rows, and ask those whose logits are not kept."""
    dataset, resources = prepared.dataset, prepared.config.resources
    rows = dataset.splits["validation"]
    packed = entries.plan.packed
    found = {}
    if packed:
        answers = CachedOutputs.open(store, entries.packs[0])
        found = {k: answers.read(rows, teacher=position) for position, k in enumerate(packed)}
    inputs = [dataset.inputs[row] for row in rows] if isinstance(dataset.inputs, list) else dataset.inputs[rows]
    for k, teacher in enumerate(shared):
        if k not in found:
            arguments = teacher, inputs, dataset.num_classes, resources.threads
            name = f"teacher-{prepared.config.teachers[k].name}"
            task = executor.submit(logits_on_node, *arguments, share=Share(cpus=resources.cpus), name=name)
            with answering(prepared, k):
                (found[k],) = executor.run_all([task])
    return found


def _judge(
    prepared: Prepared, position: int, teacher: Teacher, logits: NDArray[np.float32], homes: Mapping[str, Coverage]
) -> TeacherRecord:
    dataset = prepared.dataset
    rows = dataset.splits["validation"]
    if teacher.coverage.labels is not None:
        logits = logits[:, list(teacher.coverage.labels)]
    strength = teacher_strength(
        logits,
        dataset.labels[rows],
        coverage=teacher.coverage,
        class_names=dataset.class_names,
        columns={name: column[rows] for name, column in dataset.columns.items()},
        homes=homes,
    )
    metrics = {"home": strength.home, "abroad": strength.abroad}
    return TeacherRecord(
        name=teacher.name,
        kind=prepared.config.teachers[position].kind,
        digest=teacher.digest[:12],
        covers=describe_coverage(teacher.coverage, dataset.class_names),
        metrics={name: value for name, value in metrics.items() if not math.isnan(value)},
        by_label={name: value for name, value in strength.by_class.items() if not math.isnan(value)},
        by_home={name: value for name, value in strength.by_home.items() if not math.isnan(value)},
    )


def describe_coverage(coverage: Coverage, class_names: tuple[str, ...]) -> str:
    """Say in words what a teacher covers."""
    parts = []
    if coverage.labels is not None:
        parts.append("classes " + ", ".join(class_names[label] for label in coverage.labels))
    if coverage.column is not None:
        parts.append(f"{coverage.column} = " + ", ".join(map(str, coverage.values)))
    return " and ".join(parts) or "everything"
