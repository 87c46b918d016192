"""Whether teachers teach: the same student from labels only, from one teacher, from several, by method.

Run it from the root of the repository, on a machine that does nothing else::

    python benchmarks/distillation_gains.py digits                    # aggregations, weightings and losses, 5 seeds
    python benchmarks/distillation_gains.py digits --only "paper fcfd"     # a loss that is slow
    python benchmarks/distillation_gains.py attention                 # transformers, losses on attention, 5 seeds
    python benchmarks/distillation_gains.py classes                   # specialists of disjoint classes, 5 seeds
    python benchmarks/distillation_gains.py fashion --data FOLDER     # Fashion-MNIST from IDX files, 3 seeds

One factor is varied at a time; everything else is the recipe below. Accuracy is that on the test split, told as the
mean over seeds with its 95 % interval (Student's t); a seed decides the teachers, the labels and the student. Labels
only trains for as many steps as with teachers, so that it does not lose by training less.

Losses are held against each other with balance by magnitude (``loss NAME``), and with the plain weights of their papers
(``paper NAME``), beside the terms that the papers put beside them.

Whose labels teachers saw: in ``digits`` and ``attention`` each saw a share of its own of the labels that the student
does not see; in ``classes`` all labels of its classes; in ``fashion`` all labels of the training rows, or, a
specialist, of its classes.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from _gains import ALONE, Network, Study, accuracy, answers_of, interval, of_convnet, of_transformer, results_of, school
from _lessons import LABELS, convnet, of_rows

from teachers import Teacher
from trials.aggregation import AGGREGATIONS
from trials.data import READERS, Dataset, split
from trials.losses import needs_of
from trials.recipe import LossTerm, Recipe
from trials.weighting import WEIGHTINGS

KD = LossTerm(name="kd", weight=1.0, options={"temperature": 2.0})
RECIPE = Recipe(losses=(LABELS, KD), epochs=40, batch_size=64, learning_rate=0.005)
NEED_ATTENTION = {"minilm", "tinybert"}
SLOW = {"fcfd"}
"""Losses that are left out unless ``--only`` names one: it runs teachers and student again in each step."""

TEACHER, STUDENT = of_convnet(convnet(32, 32, 64)), of_convnet(convnet(8, 12, 16))
WIDE, NARROW = of_transformer(64), of_transformer(32)
KD_4 = LossTerm(name="kd", weight=1.0)
PAPERS: Mapping[str, tuple[LossTerm, ...]] = {
    "kd": (replace(LABELS, weight=0.1), replace(KD_4, weight=0.9)),
    "standardised_kd": (replace(LABELS, weight=0.1), LossTerm(name="standardised_kd", weight=9.0)),
    "dkd": (LABELS, LossTerm(name="dkd", weight=1.0, warmup_epochs=20)),
    "dist": (LABELS, LossTerm(name="dist", weight=2.0)),
    "rkd": (LABELS, KD_4, LossTerm(name="rkd", weight=1.0)),
    "sp": (LABELS, LossTerm(name="sp", weight=3000.0)),
    "attention_transfer": (LABELS, LossTerm(name="attention_transfer", weight=1000.0)),
    "afd": (LABELS, replace(KD_4, weight=0.9), LossTerm(name="afd", weight=200.0)),
    "ca_mkd_feature": (LABELS, KD_4, LossTerm(name="ca_mkd_feature", weight=50.0, first_epoch=2)),
    "fcfd": (LABELS, KD_4, LossTerm(name="fcfd", weight=1.0, options={"feature_warmup": 3})),
}
"""Terms with the weights of the papers and no balance; those of papers that name none are left out.

FCFD warms up over a twelfth of its epochs, DKD over 20."""
ATTENTIVE: Mapping[str, tuple[LossTerm, ...]] = {
    "kd": PAPERS["kd"],
    "minilm": (LABELS, LossTerm(name="minilm", weight=1.0)),
    "tinybert": (LABELS, LossTerm(name="tinybert", weight=1.0)),
    "minilm beside kd": (LABELS, KD_4, LossTerm(name="minilm", weight=1.0)),
    "tinybert beside kd": (LABELS, KD_4, LossTerm(name="tinybert", weight=1.0)),
}
"""The same for losses that read attention, which their papers take with weight 1."""


def digits(seed: int, only: str) -> Study:
    """Four teachers, each from a share of its own of the labels that the student does not see."""
    dataset = _digits(seed)
    teachers = _of_hidden_labels(dataset, RECIPE, TEACHER, seed=seed)
    scores = [accuracy(answers_of(teacher), dataset, "validation") for teacher in teachers]
    ways: dict[str, tuple[Recipe, Sequence[int]]] = {"best single teacher": (RECIPE, (int(np.argmax(scores)),))}
    everyone = tuple(range(4))
    for name in sorted(AGGREGATIONS.keys() - {"concatenated_logits"}):
        ways[f"aggregation {name}"] = (replace(RECIPE, aggregation=name), everyone)
    for name in sorted(WEIGHTINGS.keys() - {"fixed"}):
        ways[f"weighting {name}"] = (replace(RECIPE, weighting=name), everyone)
    for name in sorted(set(of_rows()) - NEED_ATTENTION - {name for name in SLOW if name not in only}):
        term = LossTerm(name=name, weight=1.0)
        if needs_of(term).facts:
            continue  # There are no tokens here.
        ways[f"loss {name}"] = (replace(RECIPE, losses=(LABELS, term), balance="magnitude"), everyone)
    for name, terms in PAPERS.items():
        if name not in SLOW or name in only:
            ways[f"paper {name}"] = (replace(RECIPE, losses=terms), everyone)
    return Study(dataset=dataset, teachers=teachers, student=STUDENT, recipe=RECIPE, ways=_some(ways, only))


def attention(seed: int, only: str) -> Study:
    """The same digits and shares of labels, with transformers as teachers and student."""
    dataset = _digits(seed)
    recipe = replace(RECIPE, learning_rate=0.002)
    teachers = _of_hidden_labels(dataset, recipe, WIDE, seed=seed)
    everyone = tuple(range(len(teachers)))
    ways: dict[str, tuple[Recipe, Sequence[int]]] = {
        f"paper {name}": (replace(recipe, losses=terms), everyone) for name, terms in ATTENTIVE.items()
    }
    return Study(dataset=dataset, teachers=teachers, student=NARROW, recipe=recipe, ways=_some(ways, only))


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


def _of_hidden_labels(dataset: Dataset, recipe: Recipe, network: Network, *, seed: int) -> list[Teacher]:
    """Train four teachers, each on a share of its own of the labels that the student does not see."""
    train, labelled = dataset.splits["train"], dataset.labelled
    assert labelled is not None
    hidden = np.random.default_rng(seed).permutation(train[~labelled[train]])
    return [
        school(network, dataset, rows, recipe, name=f"t{k}", seed=100 * seed + k)
        for k, rows in enumerate(np.array_split(hidden, 4))
    ]


def _specialist(dataset: Dataset, recipe: Recipe, group: tuple[int, ...], *, seed: int) -> Teacher:
    train = dataset.splits["train"]
    rows = train[np.isin(dataset.labels[train], group)]
    return school(TEACHER, dataset, rows, recipe, name=f"classes {min(group)}-{max(group)}", seed=seed, labels=group)


def _some(ways: Mapping[str, tuple[Recipe, Sequence[int]]], only: str) -> dict[str, tuple[Recipe, Sequence[int]]]:
    return {name: way for name, way in ways.items() if only in name}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("digits", "attention", "classes", "fashion"))
    parser.add_argument("--data", help="folder with the IDX files, for fashion")
    parser.add_argument("--seeds", type=int, help="from 0 on; 5, or 3 for fashion")
    parser.add_argument("--only", default="", help="only ways with this text in their name")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if arguments.study == "fashion" and arguments.data is None:
        parser.error("fashion needs --data FOLDER")
    torch.set_num_threads(1)
    studies: dict[str, Callable[[int, str], Study]] = {"digits": digits, "attention": attention, "classes": classes}
    studies["fashion"] = partial(fashion, folder=arguments.data)
    num_seeds = arguments.seeds or (3 if arguments.study == "fashion" else 5)
    found: dict[str, list[float]] = {}
    for seed in range(num_seeds):
        study = studies[arguments.study](seed, arguments.only)
        for teacher in study.teachers:
            found.setdefault(f"({teacher.name} itself)", []).append(accuracy(answers_of(teacher), study.dataset))
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
