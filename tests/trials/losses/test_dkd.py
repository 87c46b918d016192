"""Decoupled distillation by hand, and against the decomposition that it comes from."""

import math

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Outputs
from trials.losses.dkd import dkd
from trials.losses.kd import kd

LABELS = torch.tensor([0, 4, 2, 3])


def logits(*shape, seed=0, scale=3.0):
    return Outputs(logits=torch.from_numpy(np.random.default_rng(seed).normal(scale=scale, size=shape)))


def test_three_classes_by_hand():
    # The teacher says 4/8, 3/8, 1/8, the student a third each. On the target: coins of 1/2 and 1/3. Among the others:
    # 3/4 and 1/4 against two halves.
    teacher = Outputs(logits=torch.tensor([[4.0, 3.0, 1.0]]).log())
    student, label_B = Outputs(logits=torch.zeros(1, 3)), torch.tensor([0])
    on_target = 0.5 * math.log(3 / 2) + 0.5 * math.log(3 / 4)
    among_others = 0.75 * math.log(3 / 2) + 0.25 * math.log(1 / 2)
    loss_B = dkd(student, teacher, label_B, alpha=2.0, beta=5.0, temperature=1.0)
    assert loss_B.item() == pytest.approx(2 * on_target + 5 * among_others, rel=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_parts_add_up_to_plain_distillation(temperature):
    # Equation 6: the others count as much as the teacher is unsure of the target.
    student, teacher = logits(4, 5, seed=1), logits(4, 5, seed=2)
    on_target_B = dkd(student, teacher, LABELS, alpha=1.0, beta=0.0, temperature=temperature)
    among_others_B = dkd(student, teacher, LABELS, alpha=0.0, beta=1.0, temperature=temperature)
    sure_B = (teacher.logits / temperature).softmax(dim=-1)[torch.arange(4), LABELS]
    plain_B = kd(student, teacher, LABELS, temperature=temperature)
    torch.testing.assert_close(on_target_B + (1 - sure_B) * among_others_B, plain_B, rtol=1e-9, atol=1e-12)


def test_without_a_label_the_teachers_own_choice_is_the_target():
    student, teachers = logits(4, 5, seed=1), logits(3, 4, 5, seed=2)
    missing_KB = dkd(student, teachers, torch.full((4,), MISSING_LABEL))
    for k, logits_BC in enumerate(teachers.logits):
        expected_B = dkd(student, Outputs(logits=logits_BC), logits_BC.argmax(dim=-1))
        torch.testing.assert_close(missing_KB[k], expected_B)


def test_labels_that_are_known_matter():
    student, teacher = logits(4, 5, seed=1), logits(4, 5, seed=2)
    assert (dkd(student, teacher, LABELS) - dkd(student, teacher, (LABELS + 1) % 5)).abs().min() > 1e-3


def test_a_sure_teacher_still_has_a_gradient_on_the_target():
    # In single precision 1 - p is 0 here; log odds keep it.
    student = torch.tensor([[30.0, 0.0, 0.0]], requires_grad=True)
    teacher = Outputs(logits=torch.tensor([[60.0, 0.0, 0.0]]))
    loss_B = dkd(Outputs(logits=student), teacher, torch.tensor([0]), beta=0.0, temperature=1.0)
    (gradient_BC,) = torch.autograd.grad(loss_B.sum(), student)
    assert gradient_BC[0, 0].item() == pytest.approx(-2 * math.exp(-30), rel=1e-4)
