"""What every distillation loss must keep; a new one joins by its line in the catalog.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Outputs
from trials.losses import LOSSES, bind
from trials.recipe import LossTerm

K, B, C = 3, 6, 4
LABELS = torch.tensor([0, 1, 2, 3, MISSING_LABEL, MISSING_LABEL])


def logits(*shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=2, size=shape).astype(np.float32))


ON_LOGITS = sorted(name for name, loss in LOSSES.items() if not isinstance(loss, type))
"""Classes read features, and are held to the contract in ``test_feature_losses.py``."""


@pytest.fixture(params=ON_LOGITS)
def loss(request):
    bound, _ = bind(LossTerm(name=request.param, weight=1.0))
    return bound


def test_stacked_teachers_give_what_a_loop_over_them_gives(loss):
    student, teachers = Outputs(logits=logits(B, C, seed=0)), logits(K, B, C, seed=1)
    stacked_KB = loss(student, Outputs(logits=teachers), LABELS)
    assert stacked_KB.shape == (K, B)
    for k in range(K):
        loss_B = loss(student, Outputs(logits=teachers[k]), LABELS)
        assert loss_B.shape == (B,)
        torch.testing.assert_close(stacked_KB[k], loss_B, rtol=1e-6, atol=1e-7)


def test_a_student_that_agrees_loses_nothing_and_learns_nothing(loss):
    student = logits(B, C, seed=0).requires_grad_()
    loss_B = loss(Outputs(logits=student), Outputs(logits=student.detach().clone()), LABELS)
    loss_B.sum().backward()
    torch.testing.assert_close(loss_B.detach(), torch.zeros(B), rtol=0, atol=1e-5)
    torch.testing.assert_close(student.grad, torch.zeros(B, C), rtol=0, atol=1e-5)


def test_a_student_that_differs_loses_something(loss):
    loss_B = loss(Outputs(logits=logits(B, C, seed=0)), Outputs(logits=logits(B, C, seed=1)), LABELS)
    assert (loss_B > 1e-4).all()


def test_no_gradient_flows_into_the_teacher(loss):
    student, teacher = logits(B, C, seed=0).requires_grad_(), logits(B, C, seed=1).requires_grad_()
    loss(Outputs(logits=student), Outputs(logits=teacher), LABELS).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_samples_do_not_meet(loss):
    student, teacher = logits(B, C, seed=0), logits(B, C, seed=1)
    whole_B = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    part_B = loss(Outputs(logits=student[2:4]), Outputs(logits=teacher[2:4]), LABELS[2:4])
    torch.testing.assert_close(whole_B[2:4], part_B, rtol=1e-6, atol=1e-7)


def test_order_of_classes_does_not_matter(loss):
    student, teacher = logits(B, C, seed=0), logits(B, C, seed=1)
    plain_B = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    turned = torch.where(LABELS == MISSING_LABEL, LABELS, (LABELS + 1) % C)
    turned_B = loss(Outputs(logits=student.roll(1, dims=1)), Outputs(logits=teacher.roll(1, dims=1)), turned)
    torch.testing.assert_close(turned_B, plain_B, rtol=1e-5, atol=1e-6)


def test_a_step_against_the_gradient_brings_the_student_nearer(loss):
    student, teacher = logits(B, C, seed=0).requires_grad_(), Outputs(logits=logits(B, C, seed=1))
    loss_B = loss(Outputs(logits=student), teacher, LABELS)
    loss_B.sum().backward()
    nearer_B = loss(Outputs(logits=(student - 1e-2 * student.grad).detach()), teacher, LABELS)
    assert nearer_B.sum() < loss_B.sum()


@pytest.mark.parametrize("scale", [0.0, 6e4])
def test_equal_and_extreme_logits_stay_finite(loss, scale):
    student = (scale * logits(B, C, seed=0)).requires_grad_()
    for teacher in (scale * logits(B, C, seed=1), logits(B, C, seed=1)):
        student.grad = None
        loss_B = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
        loss_B.sum().backward()
        assert torch.isfinite(loss_B).all()
        assert torch.isfinite(student.grad).all()
        assert student.grad.abs().max() < 1e3


def test_teachers_of_a_single_class_stay_finite(loss):
    student = logits(B, 1, seed=0).requires_grad_()
    loss_B = loss(Outputs(logits=student), Outputs(logits=logits(K, B, 1, seed=1)), torch.full((B,), MISSING_LABEL))
    loss_B.sum().backward()
    assert torch.isfinite(loss_B).all()
    assert torch.isfinite(student.grad).all()
