"""What the studies of distillation share: teachers that are asked once, students trained in several ways, intervals.

Shape letters: N = rows, K = teachers, C = classes, R = seeds.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from _lessons import LABELS
from _transformer import Transformer
from numpy.typing import NDArray
from scipy.stats import t as student_t
from torch import nn

from search_spaces import SPACES, Values
from teachers import LOADERS, MISSING_LABEL, Batch, Coverage, Teacher, TeacherEnsemble, TeacherOutputs
from trials.data import Dataset
from trials.distill import distill
from trials.heads import build_student
from trials.lesson import Lesson
from trials.recipe import Recipe
from trials.student import Student, normalisation
from trials.tasks import Classification

ALONE = "labels only"
Network = Callable[[Lesson], nn.Module]
"""Makes an untrained student for a lesson."""


class Remembered:
    """Answers of teachers on all rows, asked once; fulfils ``EnsembleOutputs``."""

    def __init__(self, teachers: Sequence[Teacher], dataset: Dataset, features: Collection[str] = ()) -> None:
        """Ask them, a few hundred rows at a time."""
        pieces = [
            [
                teacher.model(batch.inputs, features)
                for batch in dataset.batches(np.arange(len(dataset)), batch_size=512)
            ]
            for teacher in teachers
        ]
        self._logits_KNC = torch.stack(
            [_widened(t, torch.cat([p.logits for p in ps]), dataset) for t, ps in zip(teachers, pieces, strict=True)]
        )
        self._features = [{name: torch.cat([p.features[name] for p in ps]) for name in features} for ps in pieces]

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Look the rows up."""
        kept = tuple({name: each[name][batch.index] for name in features} for each in self._features)
        return TeacherOutputs(logits=self._logits_KNC[:, batch.index], features=kept)


def _widened(teacher: Teacher, logits: torch.Tensor, dataset: Dataset) -> torch.Tensor:
    """Put the columns of a specialist where its classes are."""
    labels = teacher.coverage.labels
    if labels is None:
        return logits
    wide = torch.zeros(len(logits), dataset.num_classes)
    wide[:, list(labels)] = logits[:, list(labels)]
    return wide


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """One seed of a study.

    Args:
        dataset: With the labels that students may see.
        teachers: Trained.
        student: Made for each lesson.
        recipe: From which one factor is varied.
        ways: Changes of the recipe by the name of the way of teaching, with the positions of the teachers that teach.
    """

    dataset: Dataset
    teachers: Sequence[Teacher]
    student: Network
    recipe: Recipe
    ways: Mapping[str, tuple[Recipe, Sequence[int]]]


def of_convnet(values: Values) -> Network:
    """Make convnets of these values."""

    def make(lesson: Lesson) -> nn.Module:
        space = SPACES["convnet"]()
        return build_student(
            space,
            space.spec(values),
            signature=lesson.task.signature(lesson.dataset),
            statistics=normalisation(lesson.dataset),
            head_weights=lesson.head_weights,
        )

    return make


def of_transformer(width: int) -> Network:
    """Make transformers of this width, which has attention to be distilled."""

    def make(lesson: Lesson) -> nn.Module:
        signature = lesson.task.signature(lesson.dataset)
        return Student(Transformer(width), signature=signature, statistics=normalisation(lesson.dataset))

    return make


def fit(network: Network, lesson: Lesson) -> nn.Module:
    """Train a student from its seed."""
    torch.manual_seed(lesson.seed)
    student = network(lesson)
    distill(student, lesson)
    return student


def accuracy(student: Callable[[torch.Tensor], torch.Tensor], dataset: Dataset, split_name: str = "test") -> float:
    """Share of right answers."""
    rows = dataset.splits[split_name]
    with torch.no_grad():
        batches = dataset.batches(rows, batch_size=512)
        answers = [student(torch.as_tensor(batch.inputs)).argmax(dim=-1) == batch.labels for batch in batches]
    return float(torch.cat(answers).float().mean())


def school(
    network: Network,
    dataset: Dataset,
    rows: NDArray[np.int64],
    recipe: Recipe,
    *,
    name: str,
    seed: int,
    labels: tuple[int, ...] | None = None,
) -> Teacher:
    """Train a teacher on some training rows, whose labels it sees."""
    lessons = replace(dataset, splits={**dataset.splits, "train": rows}, labelled=None)
    alone = replace(recipe, losses=(LABELS,))
    module = fit(network, Lesson(dataset=lessons, task=Classification.for_dataset(dataset), recipe=alone, seed=seed))
    return LOADERS["callable"](model=module).teacher(name, Coverage(labels=labels))


def results_of(study: Study, seed: int) -> Iterator[tuple[str, float]]:
    """Train the student in every way, and give its accuracy."""
    dataset, task = study.dataset, Classification.for_dataset(study.dataset)
    seen = int((dataset.student_labels[dataset.splits["train"]] != MISSING_LABEL).sum())
    epochs = round(study.recipe.epochs * len(dataset.splits["train"]) / seen)
    alone = replace(study.recipe, losses=(LABELS,), epochs=epochs)
    yield ALONE, accuracy(fit(study.student, Lesson(dataset=dataset, task=task, recipe=alone, seed=seed)), dataset)
    for way, (recipe, positions) in study.ways.items():
        teachers = [study.teachers[k] for k in positions]
        ensemble = TeacherEnsemble(
            {teacher.name: teacher.coverage for teacher in teachers},
            num_classes=dataset.num_classes,
            num_rows=len(dataset),
            columns=dataset.columns,
        )
        lesson = partial(Lesson, dataset=dataset, task=task, recipe=recipe, seed=seed, ensemble=ensemble)
        needs = lesson(teachers=Remembered(teachers, dataset), teacher_models=tuple(t.model for t in teachers)).needs
        heard = Remembered(teachers, dataset, needs.teacher)
        models = tuple(teacher.model for teacher in teachers) if needs.models else ()
        yield way, accuracy(fit(study.student, lesson(teachers=heard, teacher_models=models)), dataset)


def answers_of(teacher: Teacher) -> Callable[[torch.Tensor], torch.Tensor]:
    """Give its logits."""
    return lambda inputs: teacher.model(inputs).logits


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Give the mean and half of its 95 % interval by Student's t."""
    values_R = np.array(values)
    if len(values_R) < 2:
        return float(values_R.mean()), float("nan")
    spread = float(values_R.std(ddof=1)) / np.sqrt(len(values_R))
    return float(values_R.mean()), float(student_t.ppf(0.975, len(values_R) - 1)) * spread
