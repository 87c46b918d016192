"""Distillation by softened probabilities against its formula in double precision."""

import math

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Outputs
from trials.losses import kd

LABELS = torch.tensor([0, 1, 2, MISSING_LABEL])


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def logits(*shape, seed=0, scale=3.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_value_and_gradient_are_those_of_the_formula(temperature):
    student, teacher = logits(4, 5, seed=1).requires_grad_(), logits(4, 5, seed=2)
    loss_B = kd(Outputs(logits=student), Outputs(logits=teacher), LABELS, temperature=temperature)
    p_S, p_T = (softmax(z.detach().numpy().astype(np.float64) / temperature) for z in (student, teacher))
    expected_B = temperature**2 * (p_T * np.log(p_T / p_S)).sum(axis=-1)
    np.testing.assert_allclose(loss_B.detach().numpy(), expected_B, rtol=1e-5)
    loss_B.mean().backward()
    np.testing.assert_allclose(student.grad.numpy(), temperature * (p_S - p_T) / 4, rtol=1e-5, atol=1e-7)


def test_two_classes_by_hand():
    # The teacher says 3/4, the student 1/2: 3/4 ln(3/2) + 1/4 ln(1/2).
    teacher = Outputs(logits=torch.tensor([[math.log(3.0), 0.0]]))
    loss_B = kd(Outputs(logits=torch.zeros(1, 2)), teacher, LABELS[:1], temperature=1.0)
    assert loss_B.item() == pytest.approx(0.75 * math.log(1.5) - 0.25 * math.log(2.0), rel=1e-6)


def test_shift_of_either_side_changes_nothing():
    student, teacher = logits(4, 5, seed=1), logits(4, 5, seed=2)
    plain = kd(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    moved = kd(Outputs(logits=student + 7), Outputs(logits=teacher - 2), LABELS)
    torch.testing.assert_close(moved, plain, rtol=1e-4, atol=1e-5)


def test_high_temperature_compares_centred_logits():
    # The limit of section 2.1: the gradient becomes the difference of centred logits over the number of classes.
    student, teacher = logits(4, 5, seed=1).double().requires_grad_(), logits(4, 5, seed=2).double()
    kd(Outputs(logits=student), Outputs(logits=teacher), LABELS, temperature=1e4).sum().backward()
    difference = student.detach() - teacher
    torch.testing.assert_close(
        student.grad, (difference - difference.mean(dim=-1, keepdim=True)) / 5, rtol=1e-3, atol=1e-4
    )


def test_far_apart_logits_stay_finite():
    student = torch.tensor([[6e4, -6e4, 0.0]], requires_grad=True)
    loss_B = kd(Outputs(logits=student), Outputs(logits=-student.detach()), LABELS[:1], temperature=1.0)
    loss_B.sum().backward()
    assert loss_B.item() == pytest.approx(1.2e5)
    assert torch.isfinite(student.grad).all()
