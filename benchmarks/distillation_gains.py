"""Whether teachers teach: the same student from labels only, from one teacher, from several, by method.

Run it from the root of the repository, on a machine that does nothing else::

    python benchmarks/distillation_gains.py digits                    # aggregations, weightings and losses, 5 seeds
    python benchmarks/distillation_gains.py classes                   # specialists of disjoint classes, 5 seeds
    python benchmarks/distillation_gains.py fashion --data FOLDER     # Fashion-MNIST from IDX files, 3 seeds

One factor is varied at a time; everything else is the recipe below. Accuracy is that on the test split, told as the
mean over seeds with its 95 % interval (Student's t); a seed decides the teachers, the labels and the student. Labels
only trains for as many steps as with teachers, so that it does not lose by training less.

Whose labels teachers saw: in ``digits`` each saw a share of its own of the labels that the student does not see; in
``classes`` all labels of its classes; in ``fashion`` all labels of the training rows, or, a specialist, of its classes.
"""

import argparse
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from _lessons import convnet
from numpy.typing import NDArray
from scipy.stats import t as student_t
from torch import nn

from search_spaces import SPACES, Values
from teachers import LOADERS, MISSING_LABEL, Batch, Coverage, Teacher, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS
from trials.data import READERS, Dataset, split
from trials.distill import distill
from trials.heads import build_student
from trials.lesson import Lesson
from trials.losses import LOSSES
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.student import normalisation
from trials.tasks import Classification
from trials.weighting import WEIGHTINGS

LABELS = LossTerm(name=HARD_LABEL, weight=1.0)
KD = LossTerm(name="kd", weight=1.0, options={"temperature": 2.0})
RECIPE = Recipe(losses=(LABELS, KD), epochs=40, batch_size=64, learning_rate=0.005)
ALONE = "labels only"


NEED_ATTENTION = {"minilm", "tinybert"}
SLOW = {"fcfd"}
"""Losses that are left out unless ``--only`` names one: it runs teachers and student again in each step."""

TEACHER, STUDENT = convnet(32, 32, 64), convnet(8, 12, 16)


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
        student: Values of its space.
        recipe: From which one factor is varied.
        ways: Changes of the recipe by the name of the way of teaching, with the positions of the teachers that teach.
    """

    dataset: Dataset
    teachers: Sequence[Teacher]
    student: Values
    recipe: Recipe
    ways: Mapping[str, tuple[Recipe, Sequence[int]]]


def fit(values: Values, lesson: Lesson) -> nn.Module:
    """Train a convnet from its seed."""
    space, signature = SPACES["convnet"](), lesson.task.signature(lesson.dataset)
    torch.manual_seed(lesson.seed)
    student = build_student(
        space,
        space.spec(values),
        signature=signature,
        statistics=normalisation(lesson.dataset),
        head_weights=lesson.head_weights,
    )
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
    values: Values,
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
    module = fit(values, Lesson(dataset=lessons, task=Classification.for_dataset(dataset), recipe=alone, seed=seed))
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


def digits(seed: int, only: str) -> Study:
    """Four teachers, each from a share of its own of the labels that the student does not see."""
    dataset = _digits(seed)
    train, labelled = dataset.splits["train"], dataset.labelled
    assert labelled is not None
    hidden = np.random.default_rng(seed).permutation(train[~labelled[train]])
    teachers = [
        school(TEACHER, dataset, rows, RECIPE, name=f"t{k}", seed=100 * seed + k)
        for k, rows in enumerate(np.array_split(hidden, 4))
    ]
    scores = [accuracy(_module(teacher), dataset, "validation") for teacher in teachers]
    ways: dict[str, tuple[Recipe, Sequence[int]]] = {"best single teacher": (RECIPE, (int(np.argmax(scores)),))}
    everyone = tuple(range(4))
    for name in sorted(AGGREGATIONS.keys() - {"concatenated_logits"}):
        ways[f"aggregation {name}"] = (replace(RECIPE, aggregation=name), everyone)
    for name in sorted(WEIGHTINGS.keys() - {"fixed"}):
        ways[f"weighting {name}"] = (replace(RECIPE, weighting=name), everyone)
    for name in sorted(LOSSES.keys() - NEED_ATTENTION - (set() if only in SLOW else SLOW)):
        term = LossTerm(name=name, weight=1.0)
        ways[f"loss {name}"] = (replace(RECIPE, losses=(LABELS, term), balance="magnitude"), everyone)
    return Study(dataset=dataset, teachers=teachers, student=STUDENT, recipe=RECIPE, ways=_some(ways, only))


def classes(seed: int, only: str) -> Study:
    """Three specialists of disjoint classes, each from all labels of its classes."""
    dataset = _digits(seed)
    groups = [(0, 1, 2, 3), (4, 5, 6), (7, 8, 9)]
    teachers = [_specialist(dataset, RECIPE, group, seed=100 * seed + k) for k, group in enumerate(groups)]
    ways: dict[str, tuple[Recipe, Sequence[int]]] = {
        f"specialist {k} alone": (RECIPE, (k,)) for k in range(len(groups))
    }
    ways |= _specialists_together(RECIPE, len(groups))
    return Study(dataset=dataset, teachers=teachers, student=STUDENT, recipe=RECIPE, ways=_some(ways, only))


def fashion(seed: int, only: str, *, folder: str, rows: int = 12_000, labels: int = 2_000) -> Study:
    """Fashion-MNIST: one generalist, three of them, three specialists."""
    raw = READERS["idx"](path=folder)
    dataset = split(raw, validation=0.1, test=0.1, seed=seed, limit_rows={"train": rows}, labelled=labels / rows)
    recipe = replace(RECIPE, epochs=5)
    train = dataset.splits["train"]
    teachers = [school(TEACHER, dataset, train, recipe, name=f"alike{k}", seed=100 * seed + k) for k in range(3)]
    groups = [(0, 2, 4, 6), (1, 3, 8), (5, 7, 9)]
    teachers += [_specialist(dataset, recipe, group, seed=100 * seed + k) for k, group in enumerate(groups)]
    ways: dict[str, tuple[Recipe, Sequence[int]]] = {
        "one teacher": (recipe, (0,)),
        "three alike": (recipe, (0, 1, 2)),
    }
    ways |= {name: (way, [k + 3 for k in ks]) for name, (way, ks) in _specialists_together(recipe, 3).items()}
    return Study(dataset=dataset, teachers=teachers, student=STUDENT, recipe=recipe, ways=_some(ways, only))


def _specialists_together(recipe: Recipe, num_teachers: int) -> dict[str, tuple[Recipe, Sequence[int]]]:
    everyone = tuple(range(num_teachers))
    return {
        "specialists, mean_of_losses": (recipe, everyone),
        "specialists, mean_of_losses by confidence": (replace(recipe, weighting="confidence"), everyone),
        "specialists, concatenated_logits": (replace(recipe, aggregation="concatenated_logits"), everyone),
    }


def _digits(seed: int) -> Dataset:
    return split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=seed, labelled=0.1)


def _specialist(dataset: Dataset, recipe: Recipe, group: tuple[int, ...], *, seed: int) -> Teacher:
    train = dataset.splits["train"]
    rows = train[np.isin(dataset.labels[train], group)]
    return school(TEACHER, dataset, rows, recipe, name=f"classes {min(group)}-{max(group)}", seed=seed, labels=group)


def _some(ways: Mapping[str, tuple[Recipe, Sequence[int]]], only: str) -> dict[str, tuple[Recipe, Sequence[int]]]:
    return {name: way for name, way in ways.items() if only in name}


def _module(teacher: Teacher) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda inputs: teacher.model(inputs).logits


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Give the mean and half of its 95 % interval by Student's t."""
    values_R = np.array(values)
    if len(values_R) < 2:
        return float(values_R.mean()), float("nan")
    spread = float(values_R.std(ddof=1)) / np.sqrt(len(values_R))
    return float(values_R.mean()), float(student_t.ppf(0.975, len(values_R) - 1)) * spread


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("digits", "classes", "fashion"))
    parser.add_argument("--data", help="folder with the IDX files, for fashion")
    parser.add_argument("--seeds", type=int, help="from 0 on; 5, or 3 for fashion")
    parser.add_argument("--only", default="", help="only ways with this text in their name")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if arguments.study == "fashion" and arguments.data is None:
        parser.error("fashion needs --data FOLDER")
    torch.set_num_threads(1)
    studies: dict[str, Callable[[int, str], Study]] = {"digits": digits, "classes": classes}
    studies["fashion"] = partial(fashion, folder=arguments.data)
    num_seeds = arguments.seeds or (3 if arguments.study == "fashion" else 5)
    found: dict[str, list[float]] = {}
    for seed in range(num_seeds):
        study = studies[arguments.study](seed, arguments.only)
        for teacher in study.teachers:
            found.setdefault(f"({teacher.name} itself)", []).append(accuracy(_module(teacher), study.dataset))
        for way, score in results_of(study, seed):
            found.setdefault(way, []).append(score)
    if arguments.json:
        print(json.dumps(found))
        return
    for way, scores in found.items():
        mean, half = interval(scores)
        gain, half_gain = interval([a - b for a, b in zip(scores, found[ALONE], strict=True)])
        print(f"{way:45s} {mean:.4f} ± {half:.4f}   against labels only {gain:+.4f} ± {half_gain:.4f}")


if __name__ == "__main__":
    main()
