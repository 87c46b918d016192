"""What every distillation loss on logits must keep; a new one joins by its line in the catalog.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Outputs
from trials.lesson import averages
from trials.losses import LOSSES, Pairing, bind, is_batch_statistic
from trials.recipe import LossTerm

K, B, C = 3, 6, 4
LABELS = torch.tensor([0, 1, 2, 3, MISSING_LABEL, MISSING_LABEL])
ON_LOGITS = [name for name in sorted(LOSSES) if averages(LossTerm(name=name, weight=1.0))]
NOT_0_WHERE_BOTH_AGREE = {"cluster_relation": "compares cosines with products"}
BY_ORDER_OF_ROWS = {"cluster_relation": "pairs samples by their places"}
STEEP = {"cluster_relation": "has products of raw logits: its gradient grows with them"}


def logits(*shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=2, size=shape).astype(np.float32))


def made(name):
    example = Outputs(logits=logits(B, C, seed=5))
    pairing = Pairing(student=example, teacher=Outputs(logits=example.logits[None]), student_model=torch.nn.Identity())
    return bind(LossTerm(name=name, weight=1.0), pairing)


def without(exceptions):
    """Let a test see every loss but some."""
    assert set(exceptions) <= set(LOSSES)
    cases = [pytest.param(made(name), id=name) for name in ON_LOGITS if name not in exceptions]
    return pytest.mark.parametrize("loss", cases)


@pytest.fixture(params=ON_LOGITS)
def loss(request):
    return made(request.param)


def test_stacked_teachers_give_what_a_loop_over_them_gives(loss):
    student, teachers = Outputs(logits=logits(B, C, seed=0)), logits(K, B, C, seed=1)
    stacked = loss(student, Outputs(logits=teachers), LABELS)
    assert stacked.shape == ((K,) if is_batch_statistic(loss) else (K, B))
    for k in range(K):
        alone = loss(student, Outputs(logits=teachers[k]), LABELS)
        assert alone.shape == (() if is_batch_statistic(loss) else (B,))
        torch.testing.assert_close(stacked[k], alone, rtol=1e-6, atol=1e-6)


def test_a_student_that_says_something_else_to_each_teacher_gives_what_a_loop_gives(loss):
    students, teachers = logits(K, B, C, seed=0).requires_grad_(), logits(K, B, C, seed=1)
    weights = torch.tensor([1.0, 2.0, 4.0])
    stacked = loss(Outputs(logits=students), Outputs(logits=teachers), LABELS)
    (stacked.reshape(K, -1).sum(dim=1) * weights).sum().backward()
    for k in range(K):
        student = students[k].detach().clone().requires_grad_()
        alone = loss(Outputs(logits=student), Outputs(logits=teachers[k]), LABELS)
        (alone.sum() * weights[k]).backward()
        torch.testing.assert_close(stacked[k], alone, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(students.grad[k], student.grad, rtol=1e-5, atol=1e-6)


def test_order_of_teachers_does_not_matter(loss):
    student, teachers = Outputs(logits=logits(B, C, seed=0)), logits(K, B, C, seed=1)
    turned = loss(student, Outputs(logits=teachers.flip(0)), LABELS)
    torch.testing.assert_close(turned.flip(0), loss(student, Outputs(logits=teachers), LABELS))


@without(NOT_0_WHERE_BOTH_AGREE)
def test_a_student_that_agrees_loses_nothing_and_learns_nothing(loss):
    student = logits(B, C, seed=0).requires_grad_()
    value = loss(Outputs(logits=student), Outputs(logits=student.detach().clone()), LABELS)
    value.sum().backward()
    torch.testing.assert_close(value.detach(), torch.zeros(value.shape), rtol=0, atol=1e-5)
    torch.testing.assert_close(student.grad, torch.zeros(B, C), rtol=0, atol=1e-5)


def test_a_student_that_differs_loses_something(loss):
    value = loss(Outputs(logits=logits(B, C, seed=0)), Outputs(logits=logits(B, C, seed=1)), LABELS)
    assert (value > 1e-4).all()


def test_no_gradient_flows_into_the_teacher(loss):
    student, teacher = logits(B, C, seed=0).requires_grad_(), logits(B, C, seed=1).requires_grad_()
    loss(Outputs(logits=student), Outputs(logits=teacher), LABELS).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_samples_meet_in_statistics_of_the_batch_alone(loss):
    student, teacher = logits(B, C, seed=0), logits(B, C, seed=1)
    whole = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    part = loss(Outputs(logits=student[2:4]), Outputs(logits=teacher[2:4]), LABELS[2:4])
    if is_batch_statistic(loss):
        assert abs(whole - part) > 1e-4
    else:
        torch.testing.assert_close(whole[2:4], part, rtol=1e-6, atol=1e-7)


@without(BY_ORDER_OF_ROWS)
def test_order_of_rows_does_not_matter(loss):
    student, teacher, order = logits(B, C, seed=0), logits(B, C, seed=1), torch.tensor([3, 0, 5, 1, 4, 2])
    plain = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    turned = loss(Outputs(logits=student[order]), Outputs(logits=teacher[order]), LABELS[order])
    torch.testing.assert_close(turned, plain if is_batch_statistic(loss) else plain[order], rtol=1e-5, atol=1e-6)


def test_order_of_classes_does_not_matter(loss):
    student, teacher = logits(B, C, seed=0), logits(B, C, seed=1)
    plain = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
    labels = torch.where(LABELS == MISSING_LABEL, LABELS, (LABELS + 1) % C)
    turned = loss(Outputs(logits=student.roll(1, dims=1)), Outputs(logits=teacher.roll(1, dims=1)), labels)
    torch.testing.assert_close(turned, plain, rtol=1e-5, atol=1e-6)


def test_a_step_against_the_gradient_brings_the_student_nearer(loss):
    student, teacher = logits(B, C, seed=0).requires_grad_(), Outputs(logits=logits(B, C, seed=1))
    value = loss(Outputs(logits=student), teacher, LABELS)
    value.sum().backward()
    step = 1e-2 * student.grad / student.grad.norm()
    nearer = loss(Outputs(logits=(student - step).detach()), teacher, LABELS)
    assert nearer.sum() < value.sum()


@pytest.mark.parametrize("scale", [0.0, 6e4])
@pytest.mark.parametrize("name", ON_LOGITS)
def test_equal_and_extreme_logits_stay_finite(name, scale):
    loss, student = made(name), (scale * logits(B, C, seed=0)).requires_grad_()
    for teacher in (scale * logits(B, C, seed=1), logits(B, C, seed=1)):
        student.grad = None
        value = loss(Outputs(logits=student), Outputs(logits=teacher), LABELS)
        value.sum().backward()
        assert torch.isfinite(value).all()
        assert torch.isfinite(student.grad).all()
        assert student.grad.abs().max() < 1e3 * (scale if name in STEEP else 1) + 1e-9


@pytest.mark.parametrize("num_rows", [1, 2])
def test_batches_of_few_rows_stay_finite(loss, num_rows):
    student = logits(num_rows, C, seed=0).requires_grad_()
    value = loss(Outputs(logits=student), Outputs(logits=logits(K, num_rows, C, seed=1)), LABELS[:num_rows])
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(student.grad).all()


def test_teachers_of_a_single_class_stay_finite(loss):
    student = logits(B, 1, seed=0).requires_grad_()
    value = loss(Outputs(logits=student), Outputs(logits=logits(K, B, 1, seed=1)), torch.full((B,), MISSING_LABEL))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(student.grad).all()
