"""The generalised Jensen-Shannon divergence by hand, and its ends."""

import math

import pytest
import torch

from teachers import Outputs
from trials.losses.jsd import jsd
from trials.losses.kd import kd
from trials.losses.reverse_kl import reverse_kl

STUDENT, TEACHER = Outputs(logits=torch.zeros(1, 2)), Outputs(logits=torch.tensor([[math.log(3.0), 0.0]]))
FAR = Outputs(logits=torch.tensor([[100.0, -100.0]])), Outputs(logits=torch.tensor([[-100.0, 100.0]]))
LABELS = torch.tensor([0])


@pytest.mark.parametrize("beta", [0.25, 0.5])
def test_two_classes_by_hand(beta):
    # The student says 1/2, the teacher 3/4, so their mixture 1/2 + beta / 4.
    mixture = 0.5 + beta / 4
    of_teacher = 0.75 * math.log(0.75 / mixture) + 0.25 * math.log(0.25 / (1 - mixture))
    of_student = 0.5 * math.log(0.5 / mixture) + 0.5 * math.log(0.5 / (1 - mixture))
    expected = beta * of_teacher + (1 - beta) * of_student
    assert jsd(STUDENT, TEACHER, LABELS, beta=beta).item() == pytest.approx(expected, rel=1e-5)


def test_its_ends_are_the_two_divergences():
    torch.testing.assert_close(jsd(STUDENT, TEACHER, LABELS, beta=0.0), kd(STUDENT, TEACHER, LABELS, temperature=1.0))
    torch.testing.assert_close(jsd(STUDENT, TEACHER, LABELS, beta=1.0), reverse_kl(STUDENT, TEACHER, LABELS))


def test_it_is_symmetric_in_the_middle():
    torch.testing.assert_close(jsd(STUDENT, TEACHER, LABELS), jsd(TEACHER, STUDENT, LABELS))


def test_sides_that_share_nothing_differ_by_the_entropy_of_the_mixture():
    assert jsd(*FAR, LABELS).item() == pytest.approx(math.log(2), rel=1e-6)
    expected = -0.1 * math.log(0.1) - 0.9 * math.log(0.9)
    assert jsd(*FAR, LABELS, beta=0.1).item() == pytest.approx(expected, rel=1e-6)
