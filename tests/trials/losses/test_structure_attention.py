"""Attention among tokens that share a syntax parent, against its formula in loops and by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES, Pairing, fact_key
from trials.losses.structure_attention import divergence_within, shared_parent

WEIGHTS = "attention_last.weights"
PARENTS = torch.tensor([[0, 1, 1, 0, -1, 1], [2, 2, -1, -1, 3, 4]])


def attention(*shape, seed):
    scores = torch.randn(*shape, shape[-1], generator=torch.Generator().manual_seed(seed))
    unseen = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(unseen, -math.inf).softmax(dim=-1)


def structure_attention(student_BHTT, teacher_KBHTT, parent_BT=PARENTS, **options):
    student = Outputs(logits=torch.zeros(2, 0), features={WEIGHTS: student_BHTT, fact_key("parent"): parent_BT})
    teacher = Outputs(logits=torch.zeros(len(teacher_KBHTT), 2, 0), features={WEIGHTS: teacher_KBHTT})
    loss = LOSSES["structure_attention"](
        Pairing(student=student, teacher=teacher, student_model=nn.Identity()), **options
    )
    return loss(student, teacher, torch.zeros(2, dtype=torch.int64))


def test_pairs_are_those_of_one_parent_that_the_later_can_see():
    expected = np.zeros((2, 6, 6), dtype=bool)
    for row, later, earlier in [(0, 0, 0), (0, 1, 1), (0, 2, 1), (0, 2, 2), (0, 3, 0), (0, 3, 3), (0, 5, 1), (0, 5, 2)]:
        expected[row, later, earlier] = True
    for row, later, earlier in [(0, 5, 5), (1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 4, 4), (1, 5, 5)]:
        expected[row, later, earlier] = True
    np.testing.assert_array_equal(shared_parent(PARENTS).numpy(), expected)


def test_two_tokens_by_hand():
    # Of the second token's attention, teacher (0.2, 0.6) becomes (1/4, 3/4), student (0.4, 0.4) becomes (1/2, 1/2).
    teacher = torch.tensor([[[[[1.0, 0, 0], [0, 1, 0], [0.2, 0.2, 0.6]]]]])
    student = torch.tensor([[[[1.0, 0, 0], [0, 1, 0], [0.4, 0.2, 0.4]]]])
    loss_KB = divergence_within(student, teacher, shared_parent(torch.tensor([[7, 8, 7]])))
    assert loss_KB.item() == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5), abs=1e-5)


def test_value_is_that_of_the_formula():
    student, teacher = attention(2, 3, 6, seed=0), attention(4, 2, 2, 6, seed=1)
    expected = np.zeros((4, 2))
    for k in range(4):
        for b in range(2):
            values = []
            for t in range(6):
                together = [s for s in range(t + 1) if PARENTS[b, s] == PARENTS[b, t] != -1]
                if len(together) > 1:
                    p, q = (side.double().mean(dim=0)[t, together] for side in (teacher[k, b], student[b]))
                    p, q = p / p.sum(), q / q.sum()
                    values.append(float((p * (p / q).log()).sum()))
            expected[k, b] = np.mean(values)
    np.testing.assert_allclose(structure_attention(student, teacher).numpy(), expected, rtol=1e-3)


def test_attention_to_anything_else_is_the_students_own_affair():
    student, teacher = attention(2, 3, 6, seed=0), attention(1, 2, 2, 6, seed=1)
    changed = torch.where(shared_parent(PARENTS)[:, None], student, 5 * student)
    torch.testing.assert_close(structure_attention(changed, teacher), structure_attention(student, teacher))


def test_a_student_that_attends_as_its_teacher_does_loses_nothing():
    student = attention(2, 3, 6, seed=0).requires_grad_()
    loss_KB = structure_attention(student, student.detach()[None])
    loss_KB.sum().backward()
    torch.testing.assert_close(loss_KB.detach(), torch.zeros(1, 2), rtol=0, atol=1e-6)
    assert student.grad.isfinite().all()
    assert (loss_KB >= 0).all() or loss_KB.abs().max() < 1e-6


def test_rows_without_a_parent_and_weights_of_0_teach_nothing_and_stay_finite():
    student = attention(2, 3, 6, seed=0)
    student[0] = 0.0
    student.requires_grad_()
    loss_KB = structure_attention(student, attention(1, 2, 2, 6, seed=1), torch.where(PARENTS < 2, PARENTS, -1))
    loss_KB.sum().backward()
    assert loss_KB[0, 0] > 0
    assert loss_KB[0, 1] == 0
    assert student.grad.isfinite().all()
    assert (student.grad[1] == 0).all()


def test_other_tokens_are_told():
    with pytest.raises(ValueError, match=r"of the same positions; attention_last.weights=.* \(2, 3, 6, 6\) in the st"):
        structure_attention(attention(2, 3, 6, seed=0), attention(1, 2, 2, 5, seed=1))
