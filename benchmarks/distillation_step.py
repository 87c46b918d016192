"""What teachers add to a training step: labels only, against four cached teachers, against the same on the spot.

Run it from the root of the repository, on a machine that does nothing else::

    python benchmarks/distillation_step.py              # a table, in a few minutes
    python benchmarks/distillation_step.py --json       # the same for programs

Each student is trained by ``trials.distill`` on random images, a few epochs with each kind of lesson in turn, in an
order that is drawn anew each round: whatever else the machine does then meets all of them alike. Epochs are several,
since the shares of the gradient are not measured in each. A ratio is that of two lessons of one round; reported are the
median over the rounds and its 95 % interval.

Aims: at most 1.05 with cached teachers where the step takes 5 ms or more, at most 1.35 below.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import SPACES, ModelSignature, Values
from teachers import (
    LOADERS,
    CachedOutputs,
    Coverage,
    EnsembleOutputs,
    LiveOutputs,
    OutputStore,
    Teacher,
    TeacherEnsemble,
    fill,
    pack,
    plan_shards,
)
from trials.aggregation import AGGREGATIONS
from trials.data import Dataset
from trials.distill import Lesson, distill
from trials.heads import build_student
from trials.measure import median_interval
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.student import Student, normalisation
from trials.tasks import Classification
from trials.weighting import WEIGHTINGS

BATCH_SIZE = 64
NUM_CLASSES = 10
NUM_TEACHERS = 4
NUM_EPOCHS = 5
LABELS_ONLY, CACHED, LIVE = "labels_only", "cached", "live"
CONVNET: dict[str, str | int | float] = {"activation": "relu", "stem.width": 16, "stem.stride": 1, "stages": 2}
for _stage, _width in ((1, 16), (2, 32)):
    CONVNET |= {f"stage{_stage}.{name}": value for name, value in (("depth", 1), ("width", _width), ("kernel", 3))}
    CONVNET |= {f"stage{_stage}.stride": 2, f"stage{_stage}.stride_by": "pool", f"stage{_stage}.block": "plain"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One student: its space, a point of it, and the side of the images in pixels."""

    space: str
    values: Values
    side: int


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


SUBJECTS = {
    "mlp 32, 8x8": Subject(space="mlp", values=perceptron(32), side=8),
    "mlp 256, 8x8": Subject(space="mlp", values=perceptron(256), side=8),
    "convnet, 8x8": Subject(space="convnet", values=CONVNET, side=8),
    "convnet, 28x28": Subject(space="convnet", values=CONVNET, side=28),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of one student; an interval is (low, median, high).

    Args:
        subject: Its name.
        step_ms: Of a step with labels only, in milliseconds.
        cached: Ratio of a step with four cached teachers to it.
        live: Ratio of a step with four teachers on the spot to it.
    """

    subject: str
    step_ms: tuple[float, float, float]
    cached: tuple[float, float, float]
    live: tuple[float, float, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all students and print the figures."""
    parser = argparse.ArgumentParser(description="Time of a distillation step against one with labels only.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=15, help="lessons of each kind (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch (default: %(default)s)")
    parser.add_argument("--aggregation", choices=sorted(AGGREGATIONS), default="mean_of_losses")
    parser.add_argument("--weighting", choices=sorted(WEIGHTINGS), default="fixed")
    parser.add_argument("--only", metavar="TEXT", default="", help="only students with this text in their name")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    figures = []
    for name, subject in SUBJECTS.items():
        if options.only in name:
            recipe = make_recipe(options.aggregation, options.weighting)
            figures.append(measure(name, subject, recipe, rounds=options.rounds, steps=options.steps))
    if options.json:
        print(json.dumps([asdict(measured) for measured in figures], indent=2))
    else:
        print_table(figures)


def print_table(figures: Sequence[Measured]) -> None:
    """Print one line a student."""
    print(f"{'student':<16}{'step, labels only':>20}{'cached teachers':>24}{'teachers on the spot':>24}")
    for measured in figures:
        ratios = "".join(
            f"{f'{median:.2f}  ({low:.2f} to {high:.2f})':>24}"
            for low, median, high in (measured.cached, measured.live)
        )
        print(f"{measured.subject:<16}{f'{measured.step_ms[1]:.2f} ms':>20}{ratios}")


def make_recipe(aggregation: str, weighting: str) -> Recipe:
    """Give the recipe of the lessons with teachers."""
    return Recipe(
        losses=(LossTerm(name=HARD_LABEL, weight=0.1), LossTerm(name="kd", weight=0.9)),
        aggregation=aggregation,
        weighting=weighting,
        epochs=NUM_EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=1e-3,
        schedule="constant",
    )


def measure(name: str, subject: Subject, recipe: Recipe, *, rounds: int, steps: int) -> Measured:
    """Train one student in rounds, a few epochs with each kind of lesson."""
    dataset = make_dataset(subject.side, num_rows=steps * BATCH_SIZE)
    task = Classification.for_dataset(dataset)
    torch.manual_seed(0)
    teachers = [make_teacher(f"teacher {k}", task.signature(dataset)) for k in range(NUM_TEACHERS)]
    chance = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {LABELS_ONLY: [], CACHED: [], LIVE: []}
    with tempfile.TemporaryDirectory() as folder:
        lessons = make_lessons(dataset, task, recipe, teachers, folder)
        students = {kind: make_student(subject, dataset, task, lesson) for kind, lesson in lessons.items()}
        for number in range(rounds + 1):
            for kind in chance.permutation(list(lessons)):
                history = distill(students[kind], lessons[kind]).history
                if number:  # The first round warms up.
                    seconds[kind].append(sum(epoch.seconds for epoch in history))
        lessons.clear()  # The cache's file must be let go before its folder.
    labels_only = np.array(seconds[LABELS_ONLY])
    return Measured(
        subject=name,
        step_ms=median_interval(labels_only / (steps * NUM_EPOCHS) * 1e3),
        cached=median_interval(np.array(seconds[CACHED]) / labels_only),
        live=median_interval(np.array(seconds[LIVE]) / labels_only),
    )


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


def make_teacher(name: str, signature: ModelSignature) -> Teacher:
    """Make an untrained convnet, twice as wide as the student."""
    values = dict(CONVNET) | {"stem.width": 32, "stage1.width": 32, "stage2.width": 64}
    space = SPACES["convnet"]()
    model = space.build(space.spec(values), signature)
    return LOADERS["callable"](model=model).teacher(name)


def make_student(subject: Subject, dataset: Dataset, task: Classification, lesson: Lesson) -> Student:
    """Make a student as a trial makes it."""
    space = SPACES[subject.space]()
    return build_student(
        space,
        space.spec(subject.values),
        signature=task.signature(dataset),
        statistics=normalisation(dataset),
        head_weights=lesson.head_weights,
    )


def make_lessons(
    dataset: Dataset, task: Classification, recipe: Recipe, teachers: Sequence[Teacher], folder: str
) -> dict[str, Lesson]:
    """Make one lesson of each kind; the cache goes into the folder."""
    assert isinstance(dataset.inputs, np.ndarray)
    coverages: Mapping[str, Coverage] = {teacher.name: teacher.coverage for teacher in teachers}
    ensemble = TeacherEnsemble(coverages, num_classes=NUM_CLASSES, num_rows=len(dataset), columns={})
    store = OutputStore(folder, limit_bytes=None)
    shards = plan_shards(teachers, dataset.inputs, dtype="float16")
    fill(store, shards, teachers, dataset.inputs, num_classes=NUM_CLASSES)
    key = pack(store, shards, teachers, num_classes=NUM_CLASSES)
    heard: dict[str, EnsembleOutputs] = {
        CACHED: CachedOutputs.open(store, key),
        LIVE: LiveOutputs(teachers, num_classes=NUM_CLASSES),
    }
    alone = Lesson(
        dataset=dataset,
        task=task,
        recipe=replace(recipe, losses=(LossTerm(name=HARD_LABEL, weight=1.0),)),
        seed=0,
    )
    return {LABELS_ONLY: alone} | {
        kind: replace(alone, recipe=recipe, ensemble=ensemble, teachers=outputs) for kind, outputs in heard.items()
    }


if __name__ == "__main__":
    main()
