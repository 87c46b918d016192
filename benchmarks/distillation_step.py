"""What teachers add to a training step: labels only, against 1 to 8 cached teachers, against teachers on the spot.

Run it from the root of the repository::

    python benchmarks/distillation_step.py              # a table, in a few minutes
    python benchmarks/distillation_step.py --json       # the same for programs

Each student is trained by ``trials.distill`` on random images, five epochs with each kind of lesson in turn, in an
order that is drawn anew each round: whatever else the machine does then meets all of them alike. Time is that of the
processor. A ratio is that of two trainings of one round; reported are the median over the rounds and its 95 % interval.

Aims: at most 1.05 with cached teachers where the step takes 5 ms or more, at most 1.35 below.
"""

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace

import torch
from _lessons import (
    BATCH_SIZE,
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
    perceptron,
    taught,
    told,
)

from teachers import LiveOutputs
from trials.aggregation import AGGREGATIONS
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.weighting import WEIGHTINGS

COUNTS = (1, 2, 4, 8)
ON_THE_SPOT = 4
LIVE = "live"
SUBJECTS = {
    "mlp 32, 8x8": Subject(space="mlp", values=perceptron(32), side=8),
    "mlp 256, 8x8": Subject(space="mlp", values=perceptron(256), side=8),
    "convnet, 8x8": Subject(space="convnet", values=convnet(16, 16, 32), side=8),
    "convnet, 28x28": Subject(space="convnet", values=convnet(16, 16, 32), side=28),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of one student; an interval is (low, median, high).

    Args:
        subject: Its name.
        step_ms: Of a step with labels only, in milliseconds.
        cached: Ratio of a step with cached teachers to it, by their number.
        live: Ratio of a step with four teachers on the spot to it.
    """

    subject: str
    step_ms: Interval
    cached: dict[int, Interval]
    live: Interval


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
    recipe = replace(
        RECIPE,
        losses=(LossTerm(name=HARD_LABEL, weight=0.1), LossTerm(name="kd", weight=0.9)),
        aggregation=options.aggregation,
        weighting=options.weighting,
    )
    figures = [
        measure(name, subject, recipe, rounds=options.rounds, steps=options.steps)
        for name, subject in SUBJECTS.items()
        if options.only in name
    ]
    if options.json:
        print(json.dumps([asdict(measured) for measured in figures], indent=2))
        return
    heads = "".join(f"{f'{count} cached':>22}" for count in COUNTS)
    print(f"{'student':<16}{'labels only':>12}{heads}{f'{ON_THE_SPOT} on the spot':>24}")
    for each in figures:
        ratios = "".join(f"{told(each.cached[count]):>22}" for count in COUNTS)
        print(f"{each.subject:<16}{f'{each.step_ms[1]:.2f} ms':>12}{ratios}{told(each.live):>24}")


def measure(name: str, subject: Subject, recipe: Recipe, *, rounds: int, steps: int) -> Measured:
    """Train one student in rounds, an epoch with each kind of lesson."""
    lesson = alone(make_dataset(subject.side, num_rows=steps * BATCH_SIZE))
    torch.manual_seed(0)
    signature = lesson.task.signature(lesson.dataset)
    teachers = [
        make_teacher(f"teacher {k}", make_model("convnet", convnet(32, 32, 64), signature)) for k in range(max(COUNTS))
    ]
    with ExitStack() as caches:
        lessons = {LABELS_ONLY: lesson}
        for count in COUNTS:
            heard = caches.enter_context(cached(teachers[:count], lesson.dataset))
            lessons[str(count)] = taught(lesson, recipe, teachers[:count], heard)
        some = teachers[:ON_THE_SPOT]
        lessons[LIVE] = taught(lesson, recipe, some, LiveOutputs(some, num_classes=NUM_CLASSES))
        students = {kind: make_student(subject, each) for kind, each in lessons.items()}
        seconds = epochs_in_turn(lessons, students, rounds=rounds)
    ratios = {kind: median_interval(each / seconds[LABELS_ONLY]) for kind, each in seconds.items()}
    return Measured(
        subject=name,
        step_ms=median_interval(seconds[LABELS_ONLY] / steps * 1e3),
        cached={count: ratios[str(count)] for count in COUNTS},
        live=ratios[LIVE],
    )


if __name__ == "__main__":
    main()
