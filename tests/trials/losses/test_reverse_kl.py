"""The reverse divergence by hand."""

import math

import pytest
import torch

from teachers import Outputs
from trials.losses.kd import kd
from trials.losses.reverse_kl import reverse_kl


def test_two_classes_by_hand():
    # The student says 1/2, the teacher 3/4: 1/2 ln(2/3) + 1/2 ln(2).
    student, teacher = Outputs(logits=torch.zeros(1, 2)), Outputs(logits=torch.tensor([[math.log(3.0), 0.0]]))
    loss_B = reverse_kl(student, teacher, torch.tensor([0]))
    assert loss_B.item() == pytest.approx(0.5 * math.log(2 / 3) + 0.5 * math.log(2), rel=1e-6)


def test_it_is_the_forward_divergence_with_the_sides_changed():
    student, teacher = (Outputs(logits=torch.sin(seed * torch.arange(12.0)).reshape(3, 4)) for seed in (1, 2))
    forward_B = kd(teacher, student, torch.zeros(3), temperature=1.0)
    torch.testing.assert_close(reverse_kl(student, teacher, torch.zeros(3)), forward_B)
