"""AE-KD written out: a gradient for each teacher, then the weights of the shortest mean.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from teachers import MISSING_LABEL, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS, Comparison
from trials.losses import Pairing, bind
from trials.recipe import LossTerm

B, C, T = 6, 5, 4.0
LABELS = torch.full((B,), MISSING_LABEL)


def logits(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=2, size=shape))


def aekd(student, teachers, weights_KB, coverages=None, loss=None):
    coverages = coverages or [Coverage()] * len(teachers)
    named = {f"t{k}": coverage for k, coverage in enumerate(coverages)}
    ensemble = TeacherEnsemble(named, num_classes=C, num_rows=B, columns={})
    loss = loss or bind(LossTerm(name="kd", weight=1.0, options={"temperature": T}))
    return AGGREGATIONS["aekd"](
        [Comparison(loss=loss, group=group) for group in ensemble.groups],
        Outputs(logits=student),
        TeacherOutputs(logits=teachers),
        LABELS,
        weights_KB=weights_KB,
        temperature=T,
    )


def kd(student, teacher):
    p_T, p_S = (teacher / T).softmax(dim=-1), (student / T).softmax(dim=-1)
    return T**2 * (p_T * (p_T / p_S).log()).sum(dim=-1)


def shortest(gradients_KC):
    """The weights by scipy."""
    gram = (gradients_KC @ gradients_KC.T).numpy()
    num, scale = len(gram), np.trace(gram)
    return minimize(
        lambda a: a @ gram @ a / scale,
        np.full(num, 1 / num),
        bounds=[(0, max(0.6, 1 / num))] * num,
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-15},
    ).x


@pytest.mark.parametrize("num_teachers", [1, 2, 3, 4])
def test_value_and_gradient_are_those_of_the_formula(num_teachers):
    student, teachers = logits(B, C).requires_grad_(), logits(num_teachers, B, C, seed=1)
    losses = [kd(student, teacher) for teacher in teachers]
    gradients = [torch.autograd.grad(loss.mean(), student, retain_graph=True)[0].sum(dim=0) for loss in losses]
    shares = shortest(torch.stack(gradients))
    expected_B = sum(float(share) * loss for share, loss in zip(shares, losses, strict=True))
    found_B = aekd(student, teachers, torch.full((num_teachers, B), 1 / num_teachers, dtype=torch.float64))
    torch.testing.assert_close(found_B, expected_B, rtol=1e-4, atol=1e-6)
    found, expected = (torch.autograd.grad(values.mean(), student)[0] for values in (found_B, expected_B))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_no_teacher_counts_more_than_the_bound():
    student = logits(B, C).requires_grad_()
    # The first agrees with the student nearly, so that its gradient is by far the shortest.
    teachers = torch.stack([student.detach() + 1e-3 * logits(B, C, seed=2), *logits(3, B, C, seed=1)])
    loss_B = aekd(student, teachers, torch.full((4, B), 0.25, dtype=torch.float64))
    near, *far = (kd(student, teacher).mean() for teacher in teachers)
    assert loss_B.mean() >= 0.6 * near + 0.4 * min(far) - 1e-9


def test_a_majority_of_twins_does_not_outvote_one_who_differs():
    student, first, second = (logits(B, C, seed=seed) for seed in range(3))
    student.requires_grad_()
    twice = aekd(student, torch.stack([first, second]), torch.full((2, B), 1 / 2, dtype=torch.float64))
    more = aekd(student, torch.stack([first, second, second]), torch.full((3, B), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(more, twice, rtol=1e-5, atol=1e-7)


def test_who_votes_nowhere_in_a_batch_takes_no_share():
    student, teachers = logits(B, C).requires_grad_(), logits(3, B, C, seed=1)
    weights_KB = torch.full((3, B), 0.5, dtype=torch.float64)
    weights_KB[1] = 0
    expected_B = aekd(student, teachers[[0, 2]], weights_KB[[0, 2]])
    torch.testing.assert_close(aekd(student, teachers, weights_KB), expected_B)


def test_specialists_of_some_classes_are_weighed_too():
    student, teachers = logits(B, C).requires_grad_(), logits(2, B, C, seed=1)
    coverages = [Coverage(labels=(0, 1)), Coverage(labels=(2, 3, 4))]
    losses = [kd(student[:, :2], teachers[0, :, :2]), kd(student[:, 2:], teachers[1, :, 2:])]
    gradients = [torch.autograd.grad(loss.mean(), student, retain_graph=True)[0].sum(dim=0) for loss in losses]
    shares = shortest(torch.stack(gradients))
    expected_B = shares[0] * losses[0] + shares[1] * losses[1]
    found_B = aekd(student, teachers, torch.full((2, B), 0.5, dtype=torch.float64), coverages)
    torch.testing.assert_close(found_B, expected_B, rtol=1e-5, atol=1e-7)


def test_it_may_be_computed_where_no_gradient_is_wanted():
    student, teachers = logits(B, C), logits(2, B, C, seed=1)
    weights_KB = torch.full((2, B), 0.5, dtype=torch.float64)
    with torch.no_grad():
        loss_B = aekd(student, teachers, weights_KB)
    torch.testing.assert_close(loss_B.detach(), aekd(student.requires_grad_(), teachers, weights_KB).detach())


@pytest.mark.parametrize("name", ["rkd", "sp", "dist"])
def test_a_statistic_of_the_batch_is_weighed_by_its_gradient_over_the_whole_batch(name):
    # A loss of the differences between samples has a gradient whose mean over them is 0: shares came from rounding.
    student, teachers = logits(B, C).requires_grad_(), logits(3, B, C, seed=1)
    loss = bind(LossTerm(name=name, weight=1.0), Pairing(**dict.fromkeys(("student", "teacher", "student_model"))))
    losses = [loss(Outputs(logits=student), Outputs(logits=teacher[None]), LABELS).squeeze(0) for teacher in teachers]
    gradients = [torch.autograd.grad(each, student, retain_graph=True)[0].flatten() for each in losses]
    shares = shortest(torch.stack(gradients))
    expected = sum(float(share) * each for share, each in zip(shares, losses, strict=True))
    found_B = aekd(student, teachers, torch.full((3, B), 1 / 3, dtype=torch.float64), loss=loss)
    torch.testing.assert_close(found_B, expected.expand(B), rtol=1e-4, atol=1e-6)


def test_shares_do_not_hang_on_rounding():
    student, teachers = logits(B, C), logits(3, B, C, seed=1)
    loss = bind(LossTerm(name="rkd", weight=1.0), Pairing(**dict.fromkeys(("student", "teacher", "student_model"))))
    weights_KB = torch.full((3, B), 1 / 3, dtype=torch.float64)
    exact = aekd(student, teachers, weights_KB, loss=loss)
    rounded = aekd(student.float(), teachers.float(), weights_KB.float(), loss=loss)
    torch.testing.assert_close(rounded.double(), exact, rtol=1e-3, atol=1e-4)
