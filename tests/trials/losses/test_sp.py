"""Similarity-preserving distillation by hand.

Shape letters: K = teachers, B = batch, D = numbers of a sample.
"""

import math

import numpy as np
import pytest
import torch

from teachers import Outputs
from trials.losses.loss import Needs
from trials.losses.sp import SP, similarity_loss


def rows(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def test_two_samples_by_hand():
    # Similarities of 1 and 0, against √½ and √½ where the teacher says the same of both.
    student, teacher = torch.eye(2), torch.tensor([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    expected = 2 * ((1 - math.sqrt(0.5)) ** 2 + 0.5) / 4
    assert similarity_loss(student, teacher).item() == pytest.approx(expected, rel=1e-6)


def test_scale_and_turn_of_either_side_change_nothing():
    student, teacher, turn = rows(5, 4, seed=1), rows(5, 7, seed=2), torch.linalg.qr(rows(4, 4, seed=3)).Q
    torch.testing.assert_close(similarity_loss(3 * student @ turn, 0.1 * teacher), similarity_loss(student, teacher))


def test_a_sample_that_the_student_says_nothing_of_gets_no_gradient():
    student = rows(5, 4, seed=1)
    student[2] = 0
    student.requires_grad_()
    similarity_loss(student, rows(5, 4, seed=2)).backward()
    assert torch.isfinite(student.grad).all()
    assert student.grad.abs().max() < 10
    assert (student.grad[[0, 1, 3, 4]].abs().sum(dim=1) > 0).all()


def test_features_of_different_widths_are_compared_by_name():
    student = Outputs(logits=torch.zeros(6, 3), features={"last": rows(6, 2, 2, 2, seed=1)})
    teachers = Outputs(logits=torch.zeros(3, 6, 3), features={"last": rows(3, 6, 5, seed=2)})
    expected_K = torch.stack([similarity_loss(rows(6, 8, seed=1), rows(3, 6, 5, seed=2)[k]) for k in range(3)])
    torch.testing.assert_close(SP(None, layer="last")(student, teachers, torch.zeros(6)), expected_K)
    assert SP.needs() == Needs()
    assert SP.needs(layer="last") == Needs(student=("last",), teacher=("last",))
