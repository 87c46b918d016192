from itertools import pairwise

import pytest
import torch
from torch import nn

from trials.optimizing import OPTIMIZERS, SCHEDULES, learning_rate, make_optimizer
from trials.recipe import HARD_LABEL, LossTerm, Recipe


def recipe(**fields):
    given = {"epochs": 1, "batch_size": 8, "learning_rate": 0.5, "warmup": 0.0} | fields
    return Recipe(losses=(LossTerm(name=HARD_LABEL, weight=1.0),), **given)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rate_rises_in_warmup_to_its_highest_value_and_never_again(schedule):
    rates = [learning_rate(recipe(schedule=schedule, warmup=0.25), step=step, num_steps=8) for step in range(8)]
    assert rates[:3] == [0.25, 0.5, 0.5]
    assert all(0 < later <= earlier for earlier, later in pairwise(rates[2:]))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 0.5, 0.5, 0.5]),
        ("linear", [0.5, 0.375, 0.25, 0.125]),
        ("cosine", [0.5, 0.4268, 0.25, 0.0732]),
    ],
)
def test_schedules_by_hand(schedule, expected):
    rates = [learning_rate(recipe(schedule=schedule), step=step, num_steps=4) for step in range(4)]
    assert rates == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("warmup", [0.0, 0.5, 0.99])
def test_the_shortest_training_has_a_rate(warmup):
    assert learning_rate(recipe(warmup=warmup), step=0, num_steps=1) == 0.5


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_acts_on_matrices_alone(name):
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    for parameter in model.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    make_optimizer([model], recipe(optimizer=name, weight_decay=0.1)).step()
    assert (model[0].weight < 1).all()
    assert all((values == 1).all() for values in (model[0].bias, model[1].weight, model[1].bias))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_that_of_the_published_rule(name):
    weight, gradient = torch.full((1, 1), 2.0), 0.5
    model = nn.Linear(1, 1, bias=False)
    model.weight.data = weight.clone()
    model.weight.grad = torch.full((1, 1), gradient)
    make_optimizer([model], recipe(optimizer=name, weight_decay=0.1)).step()
    # AdamW: decay 2 · 0.5 · 0.1, then the rate, since its first step has the size 1. SGD: 0.5 · 1.9 · (0.5 + 0.2).
    expected = 2.0 - 0.1 - 0.5 if name == "adamw" else 2.0 - 0.5 * 1.9 * (0.5 + 0.2)
    assert model.weight.item() == pytest.approx(expected, rel=1e-5)


def test_frozen_parameters_and_modules_without_any_are_left_out():
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    optimizer = make_optimizer([model, nn.ReLU()], recipe())
    assert [parameter.shape for group in optimizer.param_groups for parameter in group["params"]] == [(2,)]
