"""Students of another kind than their teachers: their features are of another kind, too, and still learn.

Shape letters: N = rows, B = batch, T = tokens, D = width.
"""

import numpy as np
import pytest
import torch
from torch import nn

from teachers import LOADERS, Coverage, TeacherEnsemble, TeacherOutputs
from trials.data import Dataset
from trials.distill import Lesson, distill
from trials.recipe import LossTerm, Recipe
from trials.tasks import Classification

NUM_ROWS = 48


class Vit(nn.Module):
    """A class token before the 16 patches of an image of 8 by 8 pixels."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(1, 12, 2, stride=2)
        self.first = nn.Parameter(0.1 * torch.randn(1, 1, 12))
        self.place = nn.Parameter(0.1 * torch.randn(17, 12))
        self.block = nn.TransformerEncoderLayer(12, 2, 24, dropout=0.0, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, images):
        patches_BTD = self.embed(images).flatten(2).transpose(1, 2)
        tokens_BTD = torch.cat([self.first.expand(len(images), -1, -1), patches_BTD], dim=1) + self.place
        return self.head(self.block(tokens_BTD)[:, 0])


class Perceptron(nn.Sequential):
    def __init__(self):
        block = nn.Sequential(nn.Linear(64, 24), nn.ReLU())
        super().__init__()
        self.flatten, self.block, self.head = nn.Flatten(), block, nn.Linear(24, 3)


def conv():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, stride=2, padding=1))
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)).eval()


@pytest.mark.parametrize(("make", "share"), [(Vit, 0.7), (Perceptron, 0.9)])
def test_a_student_without_maps_learns_from_the_maps_of_a_convnet(make, share):
    model = LOADERS["callable"](model=conv(), taps={"map": "0"}).model
    inputs = np.random.default_rng(0).normal(size=(NUM_ROWS, 1, 8, 8)).astype(np.float32)
    answers = model(torch.from_numpy(inputs), ["map"])
    assert answers.features["map"].shape == (NUM_ROWS, 5, 2, 2)

    def teachers(batch, features=()):
        kept = ({name: answers.features[name][batch.index] for name in features},) if features else ()
        return TeacherOutputs(logits=answers.logits[None, batch.index], features=kept)

    rows = np.arange(NUM_ROWS)
    dataset = Dataset(
        inputs=inputs,
        labels=rows % 3,
        class_names=("a", "b", "c"),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
    )
    terms = (LossTerm(name="hint", weight=1.0, options={"layers": "mine=map"}),)
    lesson = Lesson(
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        recipe=Recipe(losses=terms, epochs=12, batch_size=12, learning_rate=0.01),
        seed=0,
        ensemble=TeacherEnsemble({"t": Coverage()}, num_classes=3, num_rows=NUM_ROWS, columns={}),
        teachers=teachers,
        taps={"mine": "block"},
    )
    torch.manual_seed(1)
    student = make()
    before = student.block.state_dict()["linear1.weight" if make is Vit else "0.weight"].clone()
    history = distill(student, lesson).history
    assert history[-1].losses["hint"] < share * history[0].losses["hint"]
    assert not torch.equal(student.block.state_dict()["linear1.weight" if make is Vit else "0.weight"], before)
