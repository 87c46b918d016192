"""Means of losses, of probabilities and of logits, each written out.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS, Comparison
from trials.losses import bind, temperature_of
from trials.recipe import LossTerm

K, B, C, T = 3, 4, 5, 2.0
EVERYTHING = (Coverage(),) * K
LABELS = torch.tensor([0, 2, 4, MISSING_LABEL])


def divergence(p_T, logits_S):
    p_S = (logits_S / T).softmax(dim=-1)
    return T**2 * (p_T * (p_T / p_S).log()).sum(dim=-1)


def setting(coverages=EVERYTHING):
    rng = np.random.default_rng(0)
    ensemble = TeacherEnsemble(
        {f"t{k}": coverage for k, coverage in enumerate(coverages)}, num_classes=C, num_rows=B, columns={}
    )
    weights_KB = torch.from_numpy(rng.uniform(0.1, 1.0, (K, B)))
    return torch.from_numpy(rng.normal(size=(B, C))), torch.from_numpy(rng.normal(size=(K, B, C))), weights_KB, ensemble


def aggregate(name, student, teachers, weights_KB, ensemble):
    term = LossTerm(name="kd", weight=1.0, options={"temperature": T})
    comparisons = [Comparison(loss=bind(term), group=group) for group in ensemble.groups]
    return AGGREGATIONS[name](
        comparisons,
        Outputs(logits=student),
        TeacherOutputs(logits=teachers),
        LABELS,
        weights_KB=weights_KB,
        temperature=temperature_of(term),
    )


def losses(student, teachers, weights_KB):
    return sum(weights_KB[k] * divergence((teachers[k] / T).softmax(dim=-1), student) for k in range(K))


def probabilities(student, teachers, weights_KB):
    shares_KB = weights_KB / weights_KB.sum(dim=0)
    return divergence(sum(shares_KB[k, :, None] * (teachers[k] / T).softmax(dim=-1) for k in range(K)), student)


def logits(student, teachers, weights_KB):
    shares_KB = weights_KB / weights_KB.sum(dim=0)
    mean = sum(shares_KB[k, :, None] * teachers[k] for k in range(K))
    return divergence((mean / T).softmax(dim=-1), student)


WRITTEN_OUT = {"mean_of_losses": losses, "mean_of_probabilities": probabilities, "mean_of_logits": logits}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_value_and_gradient_are_those_of_the_formula(name):
    student, teachers, weights_KB, ensemble = setting()
    student.requires_grad_()
    loss_B = aggregate(name, student, teachers, weights_KB, ensemble)
    expected_B = WRITTEN_OUT[name](student, teachers, weights_KB)
    torch.testing.assert_close(loss_B, expected_B, rtol=1e-9, atol=1e-12)
    gradients = [torch.autograd.grad(values.sum(), student)[0] for values in (loss_B, expected_B)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_the_three_are_different_things():
    values = [aggregate(name, *setting()) for name in WRITTEN_OUT]
    assert not torch.allclose(values[0], values[1], rtol=1e-2)
    assert not torch.allclose(values[1], values[2], rtol=1e-2)


def test_teachers_of_some_classes_are_compared_on_those_alone():
    coverages = (Coverage(labels=(0, 1)), Coverage(), Coverage(labels=(1, 3, 4)))
    student, teachers, weights_KB, ensemble = setting(coverages)
    expected_B = torch.zeros(B, dtype=torch.float64)
    for k, coverage in enumerate(coverages):
        classes = list(range(C) if coverage.labels is None else coverage.labels)
        p_T = (teachers[k][:, classes] / T).softmax(dim=-1)
        expected_B += weights_KB[k] * divergence(p_T, student[:, classes])
    torch.testing.assert_close(aggregate("mean_of_losses", student, teachers, weights_KB, ensemble), expected_B)


def test_zeros_in_the_mean_of_probabilities_stay_finite():
    student, _, weights_KB, ensemble = setting()
    teachers = torch.zeros(K, B, C)
    teachers[..., 0] = 6e4
    student = student.float().requires_grad_()
    loss_B = aggregate("mean_of_probabilities", student, teachers, weights_KB.float(), ensemble)
    loss_B.sum().backward()
    expected_B = -(T**2) * (student.detach() / T).log_softmax(dim=-1)[:, 0]
    torch.testing.assert_close(loss_B.detach(), expected_B)
    assert torch.isfinite(student.grad).all()


def test_teachers_of_overlapping_classes_pull_as_the_cross_entropies_of_uhc_do():
    # Vongkulbhisal et al., 2019, equation 4: sum over k of CE(p_k, softmax of the student on the classes of k).
    coverages = (Coverage(labels=(0, 1)), Coverage(labels=(0, 2, 3)), Coverage(labels=(1, 3, 4)))
    student, teachers, _, ensemble = setting(coverages)
    student.requires_grad_()
    found_B = aggregate("mean_of_losses", student, teachers, torch.ones(K, B, dtype=torch.float64), ensemble)
    expected_B = torch.zeros(B, dtype=torch.float64)
    for k, coverage in enumerate(coverages):
        p_T = (teachers[k][:, coverage.labels] / T).softmax(dim=-1)
        p_S = (student[:, coverage.labels] / T).softmax(dim=-1)
        expected_B = expected_B - T**2 * (p_T * p_S.log()).sum(dim=-1)
    gradients = [torch.autograd.grad(values.sum(), student)[0] for values in (found_B, expected_B)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)
