"""Terms that come in late: until then they cost nothing and leave no trace.

Shape letters: N = rows, K = teachers, D = width of a feature.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from teachers import Coverage, TeacherEnsemble, TeacherOutputs
from trials.data import Dataset
from trials.distill import Lesson, distill
from trials.losses import LOSSES
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.tasks import Classification

LABEL, KD = LossTerm(name=HARD_LABEL, weight=1.0), LossTerm(name="kd", weight=2.0)
HINT = LossTerm(name="hint", weight=1.0, options={"layers": "mine=last"})
NUM_ROWS = 22


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Asked:
    """Teachers who note, for each step, which features they are asked for."""

    def __init__(self):
        chance = torch.Generator().manual_seed(1)
        self.logits_KNC = torch.randn(2, NUM_ROWS, 3, generator=chance)
        self.last_KND = torch.randn(2, NUM_ROWS, 5, generator=chance)
        self.steps = []

    def __call__(self, batch, features=()):
        self.steps.append(tuple(features))
        inner = tuple(dict.fromkeys(features, last_ND[batch.index]) for last_ND in self.last_KND)
        return TeacherOutputs(logits=self.logits_KNC[:, batch.index], features=inner)


def lesson(*terms, **fields):
    chance, rows = np.random.default_rng(0), np.arange(NUM_ROWS)
    dataset = Dataset(
        inputs=chance.normal(size=(NUM_ROWS, 2)).astype(np.float32),
        labels=chance.integers(3, size=NUM_ROWS),
        class_names=("a", "b", "c"),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
    )
    names = {"t0": Coverage(), "t1": Coverage()}
    return Lesson(
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        recipe=Recipe(losses=terms, **{"epochs": 4, "batch_size": 10, "learning_rate": 0.01} | fields),
        seed=0,
        ensemble=TeacherEnsemble(names, num_classes=3, num_rows=NUM_ROWS, columns={}),
        teachers=Asked(),
        taps={"mine": "0"},
    )


def student():
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def late(term, epoch):
    return replace(term, first_epoch=epoch)


@pytest.mark.parametrize("balance", ["none", "magnitude"])
@pytest.mark.parametrize("term", [KD, HINT], ids=lambda term: term.name)
def test_until_it_comes_in_a_student_is_as_without_it_to_the_bit(term, balance):
    without = distill(student(), lesson(LABEL, balance=balance), until_epoch=2)
    with_it = distill(student(), lesson(LABEL, late(term, 3), balance=balance), until_epoch=2)
    assert same(with_it.student, without.student)
    assert [record.losses.keys() for record in with_it.history] == [{HARD_LABEL}] * 2
    on = distill(student(), lesson(LABEL, late(term, 3), balance=balance), checkpoint=with_it)
    assert [record.losses.keys() for record in on.history[2:]] == [{HARD_LABEL, term.name}] * 2
    assert not same(on.student, distill(student(), lesson(LABEL, balance=balance)).student)


def test_teachers_are_asked_for_what_the_epoch_reads_alone():
    taught = lesson(LABEL, late(KD, 2), late(HINT, 3))
    distill(student(), taught)
    seen, *steps = taught.teachers.steps
    assert seen == ("last",)  # The shapes, before the first step.
    assert steps == [()] * 2 + [("last",)] * 4


def test_learnt_parts_of_a_term_start_as_they_were_made():
    taught = lesson(LABEL, late(HINT, 3), weight_decay=0.5)
    before = distill(student(), taught, until_epoch=0).loss
    assert same(distill(student(), taught, until_epoch=2).loss, before)
    assert not same(distill(student(), taught, until_epoch=3).loss, before)


def test_a_learnt_weighting_goes_on_learning_before_the_terms_come_in():
    taught = lesson(LABEL, late(KD, 3), weighting="learnt")
    (record,) = distill(student(), taught, until_epoch=1).history
    assert record.losses.keys() == {HARD_LABEL, "gate"}
    assert record.shares == {HARD_LABEL: 1.0}
    assert record.teacher_shares == {}


def test_before_any_term_has_come_in_nothing_is_learnt():
    taught = lesson(late(KD, 2), late(LABEL, 3), weight_decay=0.5)
    model = student()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    first = distill(model, taught, until_epoch=1)
    assert same(first.student, before)
    assert first.history[0].losses == {}
    assert [set(record.losses) for record in distill(model, taught, checkpoint=first).history[1:]] == [
        {"kd"},
        {"kd", HARD_LABEL},
        {"kd", HARD_LABEL},
    ]


def test_a_term_that_is_there_from_the_start_is_computed_from_the_start():
    first = distill(student(), lesson(LABEL, KD, HINT), until_epoch=1)
    assert first.history[0].losses.keys() == {HARD_LABEL, "kd", "hint"}


def test_a_loss_with_learnt_parts_is_told_the_epoch(monkeypatch):
    seen = []

    class Hearing(LOSSES["hint"]):
        epoch = None

        def forward(self, student, teacher, label_B):
            seen.append(self.epoch)
            return super().forward(student, teacher, label_B)

    monkeypatch.setitem(LOSSES, "hint", Hearing)
    distill(student(), lesson(LABEL, HINT, epochs=3))
    assert seen == sorted(seen)
    assert set(seen) == {1, 2, 3}
