"""Logit standardisation against the formula of the paper in double precision."""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Outputs
from trials.losses import LOSSES, kd, standardise, standardised

LABELS = torch.tensor([0, 1, 2, MISSING_LABEL])


def logits(*shape, seed=0, scale=3.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32))


def formula(student, teacher, temperature):
    """Value in double precision, written with the deviation as a sum over classes."""
    sides = []
    for z in (student.double(), teacher.double()):
        centred = z - z.mean(dim=-1, keepdim=True)
        deviation = (centred.square().sum(dim=-1, keepdim=True) / (z.shape[-1] - 1)).sqrt()
        sides.append(centred / (1e-7 + deviation) / temperature)
    p_S, p_T = sides[0].softmax(dim=-1), sides[1].softmax(dim=-1)
    return temperature**2 * (p_T * (p_T.log() - p_S.log())).sum(dim=-1)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 6.0])
def test_value_and_gradient_are_those_of_the_formula(temperature):
    student, teacher = logits(4, 5, seed=1).double().requires_grad_(), logits(4, 5, seed=2).double()
    loss_B = LOSSES["standardised_kd"](
        Outputs(logits=student), Outputs(logits=teacher), LABELS, temperature=temperature
    )
    expected_B = formula(student, teacher, temperature)
    torch.testing.assert_close(loss_B, expected_B, rtol=1e-9, atol=1e-12)
    gradients = [torch.autograd.grad(values.sum(), student)[0] for values in (loss_B, expected_B)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_three_logits_by_hand():
    # Mean 4, unbiased deviation 2.
    torch.testing.assert_close(standardise(torch.tensor([[2.0, 4.0, 6.0]])), torch.tensor([[-1.0, 0.0, 1.0]]))


def test_shift_and_scale_of_either_side_change_nothing():
    loss = LOSSES["standardised_kd"]
    student, teacher = logits(4, 5, seed=1), logits(4, 5, seed=2)
    plain = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    moved = loss(Outputs(logits=5 * student + 3), Outputs(logits=0.2 * teacher - 1), LABELS)
    torch.testing.assert_close(moved, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_equal_logits_give_zeros_without_a_gradient(value):
    student = torch.full((2, 5), value, requires_grad=True)
    standardised_BC = standardise(student)
    assert standardised_BC.abs().max() < 0.1
    standardised_BC[:, 0].sum().backward()
    assert student.grad.abs().max() < 1e-3


def test_one_class_alone_gives_zeros():
    assert standardise(torch.tensor([[3.0], [4.0]])).tolist() == [[0.0], [0.0]]


def test_any_loss_on_logits_can_be_wrapped_and_keeps_its_options():
    student, teacher = logits(4, 5, seed=1), logits(4, 5, seed=2)
    by_hand = kd(Outputs(logits=standardise(student)), Outputs(logits=standardise(teacher)), LABELS, temperature=3.0)
    wrapped = standardised(kd)(Outputs(logits=student), Outputs(logits=teacher), LABELS, temperature=3.0)
    assert torch.equal(wrapped, by_hand)
