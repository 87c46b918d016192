"""When the shares of the gradient are measured; what they are is tested with the training that measures them."""

import numpy as np
from torch import nn

from trials.data import Dataset
from trials.distill import Lesson, distill
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.shares import is_measured
from trials.tasks import Classification


def measured(*, epochs, num_batches):
    return [epoch for epoch in range(epochs) if is_measured(epoch, epochs=epochs, num_batches=num_batches)]


def test_epochs_of_fifty_steps_or_more_are_all_measured():
    for num_batches in (50, 51, 1000):
        assert measured(epochs=4, num_batches=num_batches) == [0, 1, 2, 3]


def test_short_epochs_are_measured_at_both_ends_and_once_in_fifty_steps():
    assert measured(epochs=12, num_batches=20) == [0, 3, 5, 8, 10, 11]
    assert measured(epochs=5, num_batches=1) == [0, 4]
    assert measured(epochs=1, num_batches=1) == [0]
    assert measured(epochs=101, num_batches=1) == [0, 50, 100]


def test_training_keeps_to_it_and_leaves_the_other_epochs_without_shares():
    rows = np.arange(42)
    dataset = Dataset(
        inputs=np.random.default_rng(0).normal(size=(42, 2)).astype(np.float32),
        labels=rows % 3,
        class_names=("a", "b", "c"),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
    )
    recipe = Recipe(losses=(LossTerm(name=HARD_LABEL, weight=1.0),), epochs=9, batch_size=4, learning_rate=0.01)
    lesson = Lesson(dataset=dataset, task=Classification.for_dataset(dataset), recipe=recipe, seed=0)
    history = distill(nn.Linear(2, 3), lesson).history
    assert [record.epoch for record in history if record.shares] == [1, 6, 9]
    assert all(record.shares in ({}, {HARD_LABEL: 1.0}) for record in history)
