"""Small lessons: rows, teachers who say what a table holds, and students to teach.

Shape letters: N = rows, K = teachers, B = batch, C = classes.
"""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor, nn

from teachers import Batch, TeacherEnsemble, TeacherOutputs
from trials.data import READERS, Dataset, split
from trials.distill import Lesson
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.tasks import Classification

LABEL = LossTerm(name=HARD_LABEL, weight=1.0)


KD = LossTerm(name="kd", weight=1.0, options={"temperature": 2.0})


class Spoken:
    """Teachers who say what a table holds."""

    def __init__(self, logits_KNC: Tensor) -> None:
        self.logits_KNC = logits_KNC

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        return TeacherOutputs(logits=self.logits_KNC[:, batch.index])


class Watched(nn.Module):
    """A student that notes how many rows each step has."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.sizes: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.sizes.append(len(inputs))
        return self.body(inputs)


def recipe(*terms, **fields):
    return Recipe(losses=terms or (LABEL,), **{"epochs": 4, "batch_size": 32, "learning_rate": 0.01} | fields)


def digits(labelled=1.0, **limit_rows):
    raw = READERS["sklearn"](name="digits")
    return split(raw, validation=0.2, test=0.2, seed=0, labelled=labelled, limit_rows=limit_rows or None)


def small_dataset(num_train, *, labels=None, labelled=None):
    """Rows of two numbers, the last two for validation and test."""
    num_rows = num_train + 2
    chance = np.random.default_rng(0)
    rows = np.arange(num_rows)
    return Dataset(
        inputs=chance.normal(size=(num_rows, 2)).astype(np.float32),
        labels=chance.integers(3, size=num_rows) if labels is None else np.array([*labels, 0, 0]),
        class_names=("a", "b", "c"),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
        labelled=None if labelled is None else np.array([*labelled, True, True]),
        columns={"style": np.array(["x", "y"] * num_rows)[:num_rows]},
    )


def taught(dataset, recipe, *coverages, logits_KNC=None, **fields):
    """A lesson, with teachers if coverages are given."""
    if coverages:
        ensemble = TeacherEnsemble(
            {f"t{k}": coverage for k, coverage in enumerate(coverages)},
            num_classes=dataset.num_classes,
            num_rows=len(dataset),
            columns=dataset.columns,
        )
        if logits_KNC is None:
            chance = np.random.default_rng(1)
            logits_KNC = chance.normal(size=(len(coverages), len(dataset), dataset.num_classes))
            logits_KNC = torch.from_numpy(logits_KNC.astype(np.float32))
        fields |= {"ensemble": ensemble, "teachers": Spoken(logits_KNC)}
    task = Classification.for_dataset(dataset)
    return Lesson(dataset=dataset, task=task, recipe=recipe, **{"seed": 0} | fields)


def perceptron(num_inputs=2, num_classes=3, width=16, *, norm=False, dropout=0.0):
    torch.manual_seed(5)
    middle = [nn.BatchNorm1d(width)] if norm else []
    layers = [nn.Linear(num_inputs, width), *middle, nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, num_classes)]
    return nn.Sequential(nn.Flatten(), *layers)


def accuracy(student, dataset, name="validation"):
    batch = dataset.batch(dataset.splits[name])
    with torch.no_grad():
        return float((student(batch.inputs).argmax(dim=-1) == batch.labels).float().mean())


def weights(student):
    return nn.utils.parameters_to_vector(student.parameters()).detach().clone()


def same_state(first, second):
    return all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())
