"""What each teacher of a config knows, and what one student learns from all of them, from one, and from labels only.

    python benchmarks/specialists.py [--config examples/digits.yaml] [--seeds 3] [--json]

Teachers must be of kind ``train`` and cover rows by a column. They are trained as a search trains them. The student has
one architecture and one recipe; from labels only, it trains as many steps as with teachers.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from automl.config import load_config
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.schooling import schooling
from search_spaces import SPACES, SearchSpace, StudentSpec
from teachers import Batch, Coverage, TeacherEnsemble, TeacherOutputs, teacher_strength
from trials.data import Dataset
from trials.distill import distill
from trials.lesson import Lesson
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.student import Student

STUDENT: dict[str, str | int | float] = {"activation": "relu", "stem.width": 16, "stem.stride": 1, "stages": 1}
STUDENT |= {"stage1.depth": 1, "stage1.width": 32, "stage1.kernel": 3, "stage1.stride": 2, "stage1.block": "plain"}
STUDENT |= {"stage1.stride_by": "pool"}
LABELS = LossTerm(name=HARD_LABEL, weight=1.0)
TEACHERS = LossTerm(name="kd", weight=2.0, options={"temperature": 2.0})
RECIPE = Recipe(losses=(LABELS, TEACHERS), epochs=20, batch_size=64, learning_rate=0.006)
Logits = NDArray[np.float32]


def trained(prepared: Prepared, space: SearchSpace, spec: StudentSpec, lesson: Lesson) -> Logits:
    """Train a model and give its logits (N, C) on all rows."""
    signature = prepared.task.signature(prepared.dataset)
    torch.manual_seed(lesson.seed)
    student = Student(space.build(spec, signature), signature=signature, statistics=prepared.setting.statistics)
    distill(student, lesson)
    with torch.no_grad():
        logits: Logits = student(torch.as_tensor(prepared.dataset.inputs)).numpy()
    return logits


def teachers_of(prepared: Prepared, seed: int) -> dict[str, Logits]:
    """Train each teacher on its own rows."""
    answers = {}
    for position, teacher in enumerate(prepared.config.teachers):
        school = schooling(prepared, position)
        lesson = Lesson(dataset=school.lessons, task=prepared.task, recipe=school.trial.recipe, seed=seed)
        answers[teacher.name] = trained(prepared, school.space, school.trial.spec, lesson)
    return answers


def at_homes(prepared: Prepared, answers: Mapping[str, Logits]) -> dict[str, dict[str, float]]:
    """Give the accuracy of each teacher at the home of each, on validation rows."""
    dataset = prepared.dataset
    rows = dataset.splits["validation"]
    strengths = {
        name: teacher_strength(
            logits[rows],
            dataset.labels[rows],
            coverage=prepared.coverages[name],
            class_names=dataset.class_names,
            columns={column: values[rows] for column, values in dataset.columns.items()},
            homes=prepared.coverages,
        )
        for name, logits in answers.items()
    }
    return {name: dict(strength.by_home) for name, strength in strengths.items()}


def lessons_of(prepared: Prepared, answers: Mapping[str, Logits], seed: int) -> dict[str, Lesson]:
    """Give the ways to teach the same student: labels only, each teacher alone, all everywhere, each at its home."""
    dataset, task = prepared.dataset, prepared.task
    seen = int((dataset.student_labels[dataset.splits["train"]] >= 0).sum())
    epochs = round(RECIPE.epochs * len(dataset.splits["train"]) / seen)
    only = replace(RECIPE, losses=(LABELS,), epochs=epochs)
    lessons = {"labels only": Lesson(dataset=dataset, task=task, recipe=only, seed=seed)}
    listened = {f"teacher {name} alone": {name: Coverage()} for name in answers}
    listened["all, heard everywhere"] = {name: Coverage() for name in answers}
    listened["all, each at its home"] = dict(prepared.coverages)
    for what, coverages in listened.items():
        logits_KNC = torch.from_numpy(np.stack([answers[name] for name in coverages]))
        lessons[what] = Lesson(
            dataset=dataset,
            task=task,
            recipe=RECIPE,
            seed=seed,
            ensemble=ensemble_of(dataset, coverages),
            teachers=lambda batch, features=(), logits_KNC=logits_KNC: heard(batch, logits_KNC),
        )
    return lessons


def heard(batch: Batch, logits_KNC: torch.Tensor) -> TeacherOutputs:
    """Give what teachers say of a batch, of what they say of all rows."""
    return TeacherOutputs(logits=logits_KNC[:, batch.index])


def ensemble_of(dataset: Dataset, coverages: Mapping[str, Coverage]) -> TeacherEnsemble:
    """Let teachers be heard on what they cover."""
    return TeacherEnsemble(coverages, num_classes=dataset.num_classes, num_rows=len(dataset), columns=dataset.columns)


def measure(prepared: Prepared, seed: int) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Give accuracy at homes on validation rows, and the student's by way of teaching on test rows."""
    dataset = prepared.dataset
    rows = dataset.splits["test"]
    answers = teachers_of(prepared, seed)
    space = SPACES["convnet"]()
    taught = {
        what: trained(prepared, space, space.spec(STUDENT), lesson)
        for what, lesson in lessons_of(prepared, answers, seed).items()
    }
    right = {what: logits[rows].argmax(axis=1) == dataset.labels[rows] for what, logits in taught.items()}
    return at_homes(prepared, answers), {what: float(correct.mean()) for what, correct in right.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("examples/digits.yaml"))
    parser.add_argument("--seeds", type=int, default=3, help="from 0 on, of teachers and student")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prepared = prepare(load_config(arguments.config))
    homes, students = zip(*(measure(prepared, seed) for seed in range(arguments.seeds)), strict=True)
    if arguments.json:
        print(json.dumps({"homes": homes, "students": students}))
        return
    print("accuracy on validation rows, by seed: a line is a teacher, a column the home of one")
    for name in prepared.coverages:
        cells = [" ".join(f"{home[name][other]:.3f}" for home in homes) for other in prepared.coverages]
        print(f"{name:12s}", " | ".join(cells))
    print("accuracy of the student on test rows, by seed")
    for what in students[0]:
        print(f"{what:24s}", " ".join(f"{student[what]:.3f}" for student in students))


if __name__ == "__main__":
    main()
