"""Teachers of a config as they are loaded: what their loaders need, from the config and from the data."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.config.teachers import Teacher as TeacherConfig
from automl.preparation.prepare import Prepared, at
from automl.teaching.answered_rows import keys_of, reads_of
from automl.teaching.student_teachers import load_student_teacher
from search_spaces.imports import import_object
from teachers import LOADERS, Coverage, LoadedModel, Preprocessing, Teacher
from teachers.loading import choose_classes
from teachers.loading.text_batches import reads_alike
from trials.description import read_description
from trials.tokenization import Tokenizer

KEPT_ANSWERS = "endpoint/answers.sqlite"
"""Below the cache of all runs: what endpoints answered."""


def load_teachers(prepared: Prepared, trained: Mapping[str, Path]) -> list[Teacher]:
    """Load all teachers, in the order of the config.

    Args:
        prepared: The config's teachers.
        trained: Folders of those that were trained first, and of heads that were fitted first.

    Raises:
        UserError: One cannot be loaded, or knows other classes than the data has.
    """
    names = [teacher.name for teacher in prepared.config.teachers]
    return [load_one(prepared, position, trained.get(name)) for position, name in enumerate(names)]


def load_one(prepared: Prepared, position: int, trained: Path | None = None) -> Teacher:
    """Load one teacher.

    Args:
        prepared: The config's teachers.
        position: Among these.
        trained: Folder of one that was trained first, or of its head; None where there is none.

    Raises:
        UserError: It cannot be loaded, or knows other classes than the data has.
    """
    teacher, dataset = prepared.config.teachers[position], prepared.dataset
    with at(prepared.config, "teachers", position):
        coverage = prepared.coverages[teacher.name]
        if teacher.kind in ("train", "run"):
            path = trained if teacher.kind == "train" else teacher.path
            assert path is not None, f"{teacher.name} is to be trained first"
            coverage = _students_coverage(path, coverage, dataset.class_names)
            model = load_student_teacher(
                path,
                teacher,
                dataset.inputs,
                feature_names=dataset.feature_names,
                of_tokens=_tokenizer_of_tokens(prepared),
            )
        else:
            model = load_teacher(prepared, teacher, coverage, head=trained)
        return model.teacher(teacher.name, coverage)


def strangers(prepared: Prepared) -> list[int]:
    """List the teachers that cut texts into other tokens than the data, by position; nothing but tokenizers is read.

    Raises:
        UserError: A tokenizer cannot be read.
    """
    own, found = _tokenizer_of_tokens(prepared), []
    for position, teacher in enumerate(prepared.config.teachers):
        if own is None or teacher.kind != "transformers":
            continue
        with at(prepared.config, "teachers", position):
            if not reads_alike(teacher.model, own.definition, revision=teacher.revision):
                found.append(position)
    return found


def _tokenizer_of_tokens(prepared: Prepared) -> Tokenizer | None:
    reading = prepared.setting.reading
    return reading.tokenizer if reading is not None and prepared.dataset.of_tokens else None


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


def load_teacher(
    prepared: Prepared, teacher: TeacherConfig, coverage: Coverage, *, head: Path | None = None
) -> LoadedModel:
    """Load a teacher of a kind that stands in the catalog of loaders.

    Args:
        prepared: The data.
        teacher: As the config has it.
        coverage: What it covers.
        head: Folder of the head that was fitted to it; None where its kind has none, or none is fitted yet.

    Raises:
        ValueError: It cannot be loaded, or does not fit the data.
    """
    fields = set(type(teacher).model_fields) - {"kind", "name", "covers", "preprocessing", "classes"}
    arguments: dict[str, Any] = {name: getattr(teacher, name) for name in fields}
    if (preprocessing := getattr(teacher, "preprocessing", None)) is not None:
        arguments["preprocessing"] = Preprocessing(**dict(preprocessing))
    loaded = LOADERS[teacher.kind](**arguments | _from_data(prepared, teacher, coverage, head))
    if (classes := getattr(teacher, "classes", None)) is None:
        return loaded
    names = prepared.dataset.class_names
    return choose_classes(loaded, list(map(str, classes)), class_names=names, labels=coverage.labels)


def _from_data(prepared: Prepared, teacher: TeacherConfig, coverage: Coverage, head: Path | None) -> dict[str, Any]:
    """Give what a loader needs beside what the config says; where it is the same key, this one is taken."""
    dataset, reading = prepared.dataset, prepared.setting.reading
    if teacher.kind == "factory":
        return {"factory": import_object(teacher.factory)}
    if teacher.kind == "sentence_encoder":
        return {"num_classes": len(coverage.labels or dataset.class_names), "head": head}
    classes = {"class_names": dataset.class_names, "labels": coverage.labels}
    reads = {"reads": reads_of(dataset)}
    if teacher.kind == "completions":
        return {**classes, **reads, "inputs": dataset.inputs, "keys": keys_of(dataset, teacher.by)}
    rest: dict[str, dict[str, Any]] = {
        "estimator": classes,
        "transformers": {
            **classes,
            **reads,
            "data_tokenizer": None if reading is None else reading.tokenizer.definition,
        },
        "endpoint": {**classes, **reads, "kept": prepared.config.runs / ".cache" / KEPT_ANSWERS},
    }
    return rest.get(teacher.kind, {})
