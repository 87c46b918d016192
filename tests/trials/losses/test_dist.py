"""Distillation by correlation by hand, and what it is blind to."""

import numpy as np
import pytest
import torch

from teachers import Outputs
from trials.losses.dist import correlation, dist

LABELS = torch.tensor([0, 0])


def test_three_numbers_by_hand():
    # Centred: (-1, 0, 1) and (-1, 1, 0), both of squared length 2, with a product of 1.
    value = correlation(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 3.0, 2.0]]), dim=-1)
    assert value.item() == pytest.approx(0.5, rel=1e-6)


def test_correlation_is_numpys():
    left, right = np.random.default_rng(0).normal(size=(2, 4, 7))
    ours = correlation(torch.from_numpy(left), torch.from_numpy(right), dim=-1)
    numpys = [np.corrcoef(left_row, right_row)[0, 1] for left_row, right_row in zip(left, right, strict=True)]
    np.testing.assert_allclose(ours, numpys, rtol=1e-7)


def test_two_classes_and_two_samples_by_hand():
    # Two numbers correlate with 1 where they are in the same order, and with -1 where they are not.
    student = Outputs(logits=torch.tensor([[2.0, 0.0], [1.0, 0.0]]))
    same = Outputs(logits=torch.tensor([[5.0, 0.0], [0.5, 0.0]]))
    turned = Outputs(logits=torch.tensor([[0.5, 0.0], [5.0, 0.0]]))
    options = {"beta": 3.0, "gamma": 2.0, "temperature": 2.0}
    assert dist(student, same, LABELS, **options).item() == pytest.approx(0.0, abs=1e-5)
    assert dist(student, turned, LABELS, **options).item() == pytest.approx(2.0 * 2 * 4, rel=1e-5)


def test_a_single_sample_has_classes_to_compare_and_no_samples():
    student = torch.tensor([[2.0, 1.0, 0.0]], requires_grad=True)
    teacher = Outputs(logits=torch.tensor([[0.0, 1.0, 4.0]]))
    assert dist(Outputs(logits=student), teacher, LABELS[:1], beta=0.0, gamma=3.0).item() == 3.0
    loss, between_classes = (dist(Outputs(logits=student), teacher, LABELS[:1], gamma=gamma) for gamma in (3.0, 0.0))
    gradients = [torch.autograd.grad(value, student)[0] for value in (loss, between_classes)]
    assert torch.equal(*gradients)


def test_a_student_that_knows_nothing_yet_is_not_thrown():
    for num_classes in (3, 10, 1000):
        student = torch.zeros(4, num_classes, requires_grad=True)
        numbers = torch.arange(4.0 * num_classes).reshape(4, num_classes)
        dist(Outputs(logits=student), Outputs(logits=torch.sin(numbers)), torch.zeros(4)).backward()
        assert student.grad.abs().max() == 0
