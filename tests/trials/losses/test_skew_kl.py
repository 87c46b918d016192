"""Divergences from skewed mixtures, forward and reverse, by hand, and their bound."""

import math

import pytest
import torch

from teachers import Outputs
from trials.losses.kd import kd
from trials.losses.reverse_kl import reverse_kl
from trials.losses.skew_kl import skew_kl
from trials.losses.skew_reverse_kl import skew_reverse_kl

STUDENT, TEACHER = Outputs(logits=torch.zeros(1, 2)), Outputs(logits=torch.tensor([[math.log(3.0), 0.0]]))
FAR = Outputs(logits=torch.tensor([[100.0, -100.0]])), Outputs(logits=torch.tensor([[-100.0, 100.0]]))
LABELS = torch.tensor([0])


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_two_classes_by_hand(alpha):
    # The student says 1/2, the teacher 3/4.
    mixture = 0.5 + alpha / 4
    expected = 0.75 * math.log(0.75 / mixture) + 0.25 * math.log(0.25 / (1 - mixture))
    assert skew_kl(STUDENT, TEACHER, LABELS, alpha=alpha).item() == pytest.approx(expected, rel=1e-5)
    mixture = 0.75 - alpha / 4
    expected = 0.5 * math.log(0.5 / mixture) + 0.5 * math.log(0.5 / (1 - mixture))
    assert skew_reverse_kl(STUDENT, TEACHER, LABELS, alpha=alpha).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [skew_kl, skew_reverse_kl])
def test_sides_that_share_nothing_are_at_the_bound(loss):
    assert loss(*FAR, LABELS).item() == pytest.approx(-math.log(0.1), rel=1e-6)
    assert loss(*FAR, LABELS, alpha=0.3).item() == pytest.approx(-math.log(0.3), rel=1e-6)


@pytest.mark.parametrize(("loss", "plain"), [(skew_kl, kd), (skew_reverse_kl, reverse_kl)])
def test_a_small_share_is_nearly_the_plain_divergence(loss, plain):
    expected_B = plain(STUDENT, TEACHER, LABELS, **({"temperature": 1.0} if plain is kd else {}))
    torch.testing.assert_close(loss(STUDENT, TEACHER, LABELS, alpha=1e-6), expected_B, rtol=1e-4, atol=0)
