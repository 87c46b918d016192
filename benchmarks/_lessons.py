"""What the benchmarks of training share: random images, students, teachers and their cache, and epochs in turn."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from search_spaces import SPACES, ModelSignature, Values
from teachers import (
    LOADERS,
    CachedFeature,
    CachedOutputs,
    Coverage,
    EnsembleOutputs,
    JoinedOutputs,
    OutputStore,
    Teacher,
    TeacherEnsemble,
    fill,
    pack,
    plan_shards,
)
from teachers.cache import rows_of_shard
from trials.data import Dataset
from trials.distill import distill
from trials.heads import build_student
from trials.lesson import Lesson
from trials.losses import LOSSES, needs_of
from trials.measure import median_interval
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.student import normalisation
from trials.tasks import Classification

BATCH_SIZE = 64
NUM_CLASSES = 10
LABELS_ONLY = "labels only"
LABELS = LossTerm(name=HARD_LABEL, weight=1.0)
EPOCHS = 5
"""Of one training: several, since the shares of the gradient are not measured in each."""
RECIPE = Recipe(losses=(LABELS,), epochs=EPOCHS, batch_size=BATCH_SIZE, learning_rate=1e-3, schedule="constant")
Interval = tuple[float, float, float]
"""Lower end, median, upper end."""


def of_rows() -> tuple[str, ...]:
    """Name the losses that a row with one label can have: not those of tokens."""
    others = {"uld"}  # It reads what teachers of other tokenizers say of each token.
    return tuple(name for name in LOSSES if name not in others and not needs_of(LossTerm(name=name, weight=1.0)).facts)


def perceptron(width: int) -> Values:
    """Give two hidden layers of this width."""
    values: dict[str, str | int | float] = {
        "depth": 2,
        "activation": "relu",
        "normalisation": "none",
        "shortcut": False,
        "dropout": 0.0,
    }
    return values | {"layer1.width": width, "layer2.width": width}


def convnet(stem: int, *widths: int) -> Values:
    """Give a convnet of one plain block a stage, which pools."""
    values: dict[str, str | int | float] = {"activation": "relu", "stem.width": stem, "stem.stride": 1}
    values["stages"] = len(widths)
    for number, width in enumerate(widths, start=1):
        values |= {f"stage{number}.depth": 1, f"stage{number}.width": width, f"stage{number}.kernel": 3}
        values |= {f"stage{number}.stride": 2, f"stage{number}.stride_by": "pool", f"stage{number}.block": "plain"}
    return values


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One student: its space, a point of it, and the side of the images in pixels."""

    space: str
    values: Values
    side: int


def make_dataset(side: int, *, num_rows: int) -> Dataset:
    """Make random images with random labels; only ``num_rows`` of them train."""
    chance = np.random.default_rng(0)
    rows: NDArray[np.int64] = np.arange(num_rows + 2)
    return Dataset(
        inputs=chance.normal(size=(num_rows + 2, 1, side, side)).astype(np.float32),
        labels=chance.integers(NUM_CLASSES, size=num_rows + 2),
        class_names=tuple(str(number) for number in range(NUM_CLASSES)),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
    )


def make_model(space: str, values: Values, signature: ModelSignature) -> nn.Module:
    """Make an untrained model."""
    made = SPACES[space]()
    return made.build(made.spec(values), signature)


def make_teacher(name: str, model: nn.Module, coverage: Coverage | None = None) -> Teacher:
    """Take an untrained model as a teacher."""
    return LOADERS["callable"](model=model).teacher(name, coverage or Coverage())


def make_student(subject: Subject, lesson: Lesson) -> nn.Module:
    """Make a student as a trial makes it."""
    space = SPACES[subject.space]()
    return build_student(
        space,
        space.spec(subject.values),
        signature=lesson.task.signature(lesson.dataset),
        statistics=normalisation(lesson.dataset),
        head_weights=lesson.head_weights,
    )


def alone(dataset: Dataset, recipe: Recipe = RECIPE) -> Lesson:
    """Give a lesson without teachers."""
    return Lesson(dataset=dataset, task=Classification.for_dataset(dataset), recipe=recipe, seed=0)


def taught(
    lesson: Lesson, recipe: Recipe, teachers: Sequence[Teacher], heard: EnsembleOutputs, *, models: bool = False
) -> Lesson:
    """Add teachers to a lesson, with their models for losses that run these."""
    coverages: Mapping[str, Coverage] = {teacher.name: teacher.coverage for teacher in teachers}
    ensemble = TeacherEnsemble(coverages, num_classes=NUM_CLASSES, num_rows=len(lesson.dataset), columns={})
    own = tuple(teacher.model for teacher in teachers) if models else ()
    return replace(lesson, recipe=recipe, ensemble=ensemble, teachers=heard, teacher_models=own)


@contextmanager
def cached(teachers: Sequence[Teacher], dataset: Dataset, features: Sequence[str] = ()) -> Iterator[EnsembleOutputs]:
    """Fill a cache of logits and features as a search does; its folder is removed at the end."""
    inputs = dataset.inputs
    assert isinstance(inputs, np.ndarray)
    with TemporaryDirectory() as folder:
        store = OutputStore(folder, limit_bytes=None)
        shards = plan_shards(teachers, inputs, dtype="float16")
        fill(store, shards, teachers, inputs, num_classes=NUM_CLASSES)
        pack_ = CachedOutputs.open(store, pack(store, shards, teachers, num_classes=NUM_CLASSES))
        example = [teacher.model(torch.from_numpy(inputs[:2]), features).features for teacher in teachers]
        gathered = {}
        for k, teacher in enumerate(teachers):
            for name in features:
                rows = rows_of_shard(example[k][name][0].numel() * 2)
                parts = plan_shards([teacher], inputs, dtype="float16", output=name, shard_rows=rows)
                fill(store, parts, [teacher], inputs, num_classes=NUM_CLASSES)
                gathered[k, name, 0] = CachedFeature(store, parts)
        yield JoinedOutputs(
            num_teachers=len(teachers),
            num_classes=NUM_CLASSES,
            packed=range(len(teachers)),
            packs={0: pack_},
            features=gathered,
        )


def epochs_in_turn(
    lessons: Mapping[str, Lesson], students: Mapping[str, nn.Module], *, rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Train students in rounds, a training of a few epochs of each in an order that is drawn anew each round.

    Whatever else the machine does then meets all of them alike, and seconds are those of the processor: a process that
    waits for it loses none. What is done once a training, before its first epoch, is taken off.

    Returns:
        Seconds of an epoch by name of the lesson (rounds,).
    """
    chance = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {kind: [] for kind in lessons}
    for number in range(rounds + 1):
        for kind in chance.permutation(list(lessons)):
            began = time.process_time()
            distill(students[kind], lessons[kind], until_epoch=0)
            made = time.process_time()
            distill(students[kind], lessons[kind])
            if number:  # The first round warms up.
                seconds[kind].append((time.process_time() - made - (made - began)) / EPOCHS)
    return {kind: np.array(each) for kind, each in seconds.items()}


def told(interval: Interval) -> str:
    """Write a ratio with its interval."""
    low, median, high = interval
    digits = 2 if median < 10 else 1
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


__all__ = [
    "BATCH_SIZE",
    "EPOCHS",
    "LABELS",
    "LABELS_ONLY",
    "NUM_CLASSES",
    "RECIPE",
    "Interval",
    "Subject",
    "alone",
    "cached",
    "convnet",
    "epochs_in_turn",
    "make_dataset",
    "make_model",
    "make_student",
    "make_teacher",
    "median_interval",
    "perceptron",
    "taught",
    "told",
]
