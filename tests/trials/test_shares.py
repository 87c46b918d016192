"""When the shares of the gradient are measured; what they are is tested with the training that measures them."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from teachers import Coverage, TeacherEnsemble, TeacherOutputs
from trials.data import Dataset
from trials.distill import Lesson, distill
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.shares import is_measured
from trials.tasks import Classification


def measured(*, epochs, num_batches):
    recipe = Recipe(losses=(LABEL,), epochs=epochs, batch_size=1, learning_rate=0.1)
    return [epoch for epoch in range(epochs) if is_measured(epoch, recipe=recipe, num_batches=num_batches)]


def test_epochs_of_fifty_steps_or_more_are_all_measured():
    for num_batches in (50, 51, 1000):
        assert measured(epochs=4, num_batches=num_batches) == [0, 1, 2, 3]


def test_short_epochs_are_measured_at_both_ends_and_once_in_fifty_steps():
    assert measured(epochs=12, num_batches=20) == [0, 3, 5, 8, 10, 11]
    assert measured(epochs=5, num_batches=1) == [0, 4]
    assert measured(epochs=1, num_batches=1) == [0]
    assert measured(epochs=101, num_batches=1) == [0, 50, 100]


def lesson(*terms, num_rows=42, **fields):
    rows = np.arange(num_rows)
    dataset = Dataset(
        inputs=np.random.default_rng(0).normal(size=(num_rows, 2)).astype(np.float32),
        labels=rows % 3,
        class_names=("a", "b", "c"),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
    )
    recipe = Recipe(losses=terms, **{"epochs": 9, "batch_size": 4, "learning_rate": 0.01} | fields)
    logits_KNC = torch.randn(2, num_rows, 3, generator=torch.Generator().manual_seed(0))
    return Lesson(
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        recipe=recipe,
        seed=0,
        ensemble=TeacherEnsemble({"a": Coverage(), "b": Coverage()}, num_classes=3, num_rows=num_rows, columns={}),
        teachers=lambda batch, features=(): TeacherOutputs(logits=logits_KNC[:, batch.index]),
    )


LABEL, KD = LossTerm(name=HARD_LABEL, weight=1.0), LossTerm(name="kd", weight=1.0)


def test_training_keeps_to_it_and_the_other_epochs_carry_the_last_shares_on():
    history = distill(nn.Linear(2, 3), lesson(LABEL, KD)).history
    assert [record.epoch for record in history if record.shares_epoch == record.epoch] == [1, 6, 9]
    assert [record.shares_epoch for record in history] == [1, 1, 1, 1, 1, 6, 6, 6, 9]
    for record in history:
        assert record.shares == history[record.shares_epoch - 1].shares
        assert record.teacher_shares == history[record.shares_epoch - 1].teacher_shares
        assert set(record.shares) == {HARD_LABEL, "kd"}
        assert set(record.teacher_shares) == {"a", "b"}


def test_an_epoch_in_which_a_term_comes_in_or_has_risen_is_measured():
    late = replace(KD, first_epoch=3, warmup_epochs=4)
    history = distill(nn.Linear(2, 3), lesson(LABEL, late)).history
    assert [record.shares_epoch for record in history] == [1, 1, 3, 4, 4, 6, 6, 6, 9]
    assert all(("kd" in record.shares) == (record.epoch >= 3) for record in history)


def test_shares_are_carried_over_a_checkpoint():
    whole = distill(nn.Linear(2, 3), lesson(LABEL, KD)).history
    half = distill(nn.Linear(2, 3), lesson(LABEL, KD), until_epoch=3)
    rest = distill(nn.Linear(2, 3), lesson(LABEL, KD), checkpoint=half).history
    assert [record.shares_epoch for record in rest] == [record.shares_epoch for record in whole]
    assert rest[3].shares == half.history[0].shares
