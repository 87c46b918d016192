"""What each loss, aggregation and weighting adds to a training step, with cached teachers.

Run it from the root of the repository::

    python benchmarks/method_costs.py                # all tables, in some minutes
    python benchmarks/method_costs.py --only losses  # or aggregations
    python benchmarks/method_costs.py --json

Steps have 64 rows, hard labels, and one more term against four teachers, whose features are cached as a search caches
them. Trainings of five epochs of 20 steps are run in turn, see ``_lessons.epochs_in_turn``. Reported are medians of
ratios to a training of the same round, with their 95 % intervals: to steps with labels only, and to those with ``kd``
(losses), or with the mean of losses and fixed weights of as many teachers (aggregations, weightings).

A student and its teachers are of one kind: perceptrons, convnets, or transformers for the losses that read attention.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import torch
from _lessons import (
    BATCH_SIZE,
    EPOCHS,
    LABELS,
    LABELS_ONLY,
    NUM_CLASSES,
    RECIPE,
    Interval,
    Subject,
    alone,
    cached,
    convnet,
    epochs_in_turn,
    make_dataset,
    make_model,
    make_student,
    make_teacher,
    median_interval,
    of_rows,
    perceptron,
    taught,
    told,
)
from _transformer import Transformer
from torch import nn

from teachers import Coverage
from trials.aggregation import AGGREGATIONS
from trials.lesson import Lesson
from trials.losses import needs_of
from trials.recipe import LossTerm, Recipe
from trials.weighting import WEIGHTINGS

NUM_TEACHERS = 4
COUNTS = (4, 8)
KD = LossTerm(name="kd", weight=1.0)
ATTENTION = ("minilm", "tinybert")
MAPS = ("attention_transfer", "afd")
"""Losses that read feature maps alone."""
ROWS = of_rows()
Ratios = dict[str, tuple[Interval, Interval]]
"""By name: ratio to a step with labels only, and to the base line."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Students and teachers of one kind.

    Args:
        student: Space, values and side; None for transformers.
        teacher: Values in the same space.
        losses: That fit.
        options: By loss, where its defaults do not fit.
    """

    student: Subject | None
    teacher: Mapping[str, str | int | float] = field(default_factory=dict)
    losses: tuple[str, ...]
    options: Mapping[str, Mapping[str, str | int | float]] = field(default_factory=dict)

    def make_student(self, lesson: Lesson) -> nn.Module:
        """Make an untrained student."""
        return Transformer(32) if self.student is None else make_student(self.student, lesson)

    def make_teacher_model(self, lesson: Lesson) -> nn.Module:
        """Make an untrained teacher."""
        if self.student is None:
            return Transformer(64)
        return make_model(self.student.space, self.teacher, lesson.task.signature(lesson.dataset))


KINDS = {
    "mlp 256, 8x8": Kind(
        student=Subject(space="mlp", values=perceptron(256), side=8),
        teacher=perceptron(512),
        losses=tuple(name for name in ROWS if name not in (*ATTENTION, *MAPS)),
    ),
    "convnet, 8x8": Kind(
        student=Subject(space="convnet", values=convnet(16, 16, 32), side=8),
        teacher=convnet(32, 32, 64),
        losses=tuple(name for name in ROWS if name not in ATTENTION),
    ),
    "transformer, 8x8": Kind(student=None, losses=("kd", *ATTENTION, "hint")),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time of a training step by method.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=9, help="trainings of each kind of lesson (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch (default: %(default)s)")
    parser.add_argument("--only", choices=("losses", "aggregations"), help="one group of tables")
    parser.add_argument("--kind", metavar="TEXT", default="", help="only students with this text in their name")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found: dict[str, dict[str, Ratios]] = {}
    for name, kind in KINDS.items():
        if options.kind not in name:
            continue
        if options.only != "aggregations":
            found.setdefault("losses", {})[name] = measure_losses(kind, rounds=options.rounds, steps=options.steps)
        if options.only != "losses" and kind.student is not None:
            for count in COUNTS:
                ratios = measure_aggregations(kind, count, rounds=options.rounds, steps=options.steps)
                found.setdefault("aggregations and weightings", {})[f"{name}, {count} teachers"] = ratios
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for group, tables in found.items():
        print_table(group, tables)


def print_table(group: str, tables: Mapping[str, Ratios]) -> None:
    """Print a line a method, and two columns a student: ratio to labels only, and to the base line."""
    names = list(dict.fromkeys(name for ratios in tables.values() for name in ratios))
    print(f"| {group} | " + " | ".join(f"{name}: to labels only | to the base line" for name in tables) + " |")
    print("| --- |" + " --- | --- |" * len(tables))
    for name in names:
        cells = [
            " | ".join(told(each) for each in ratios[name]) if name in ratios else " | " for ratios in tables.values()
        ]
        print(f"| `{name}` | " + " | ".join(cells) + " |")


def measure_losses(kind: Kind, *, rounds: int, steps: int) -> Ratios:
    """Train one student with each loss in turn."""
    lesson = _alone(kind, steps)
    torch.manual_seed(0)
    teachers = [make_teacher(f"teacher {k}", kind.make_teacher_model(lesson)) for k in range(NUM_TEACHERS)]
    terms = {name: _term(kind, name) for name in kind.losses}
    features = sorted({feature for term in terms.values() for feature in needs_of(term).teacher})
    # None of the others is computed before it comes in; this one costs most.
    if "fcfd" in terms:
        terms["fcfd, before it comes in"] = replace(terms["fcfd"], first_epoch=EPOCHS + 1)
    with cached(teachers, lesson.dataset, features) as heard:
        lessons = {LABELS_ONLY: lesson}
        for name, term in terms.items():
            recipe = replace(RECIPE, losses=(LABELS, term))
            lessons[name] = taught(lesson, recipe, teachers, heard, models=needs_of(term).models)
        return _ratios(kind, lessons, base="kd", rounds=rounds)


def measure_aggregations(kind: Kind, count: int, *, rounds: int, steps: int) -> Ratios:
    """Train one student with each aggregation in turn, then with each weighting."""
    lesson = _alone(kind, steps)
    torch.manual_seed(0)
    models = [kind.make_teacher_model(lesson) for _ in range(count)]
    teachers = [make_teacher(f"teacher {k}", model) for k, model in enumerate(models)]
    specialists = [
        make_teacher(f"teacher {k}", model, Coverage(labels=tuple(range(k, NUM_CLASSES, count))))
        for k, model in enumerate(models)
    ]
    recipe = replace(RECIPE, losses=(LABELS, KD))
    with ExitStack() as caches:
        whole = caches.enter_context(cached(teachers, lesson.dataset))
        divided = caches.enter_context(cached(specialists, lesson.dataset))
        lessons = {LABELS_ONLY: lesson}
        for name, changed in _ways(recipe):
            special = changed.aggregation == "concatenated_logits"
            of, heard = (specialists, divided) if special else (teachers, whole)
            lessons[name] = taught(lesson, changed, of, heard)
        lessons["mean_of_losses of specialists"] = taught(lesson, recipe, specialists, divided)
        return _ratios(kind, lessons, base="mean_of_losses", rounds=rounds)


def _ways(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    for name in AGGREGATIONS:
        yield name, replace(recipe, aggregation=name)
    for name in WEIGHTINGS:
        if name != recipe.weighting:
            yield f"weighting {name}", replace(recipe, weighting=name)


def _ratios(kind: Kind, lessons: Mapping[str, Lesson], *, base: str, rounds: int) -> Ratios:
    students = {name: kind.make_student(lesson) for name, lesson in lessons.items()}
    seconds = epochs_in_turn(lessons, students, rounds=rounds)
    return {
        name: (median_interval(each / seconds[LABELS_ONLY]), median_interval(each / seconds[base]))
        for name, each in seconds.items()
        if name != LABELS_ONLY
    }


def _alone(kind: Kind, steps: int) -> Lesson:
    return alone(make_dataset(8 if kind.student is None else kind.student.side, num_rows=steps * BATCH_SIZE))


def _term(kind: Kind, name: str) -> LossTerm:
    return LossTerm(name=name, weight=1.0, options=kind.options.get(name, {}))


if __name__ == "__main__":
    main()
