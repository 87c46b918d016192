"""Relational distillation: triangles by hand, and what may be done to the student's space.

Shape letters: K = teachers, B = batch, D = numbers of a sample.
"""

import math

import numpy as np
import pytest
import torch

from teachers import Outputs
from trials.losses.loss import Needs
from trials.losses.rkd import RKD, angle_loss, distance_loss

EQUILATERAL = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])
RIGHT_ANGLED = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
LINE = torch.tensor([[0.0], [1.0], [2.0]])
BOTH = pytest.mark.parametrize("loss", [distance_loss, angle_loss])


def rows(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def test_distances_on_a_line_by_hand():
    # 1, 1, 2 over their mean 4/3, against 1, 2, 3 over their mean 2: differences 1/4, 1/4, 0, each twice among nine.
    assert distance_loss(LINE, torch.tensor([[0.0], [1.0], [3.0]])).item() == pytest.approx(4 / 32 / 9, rel=1e-5)


def test_distances_far_apart_count_by_their_size_not_their_square():
    # Three samples on one point and one away: distances 0, 0, 0, 1, 1, 1 over 1/2, against 1 each (a tetrahedron).
    student, teacher = torch.tensor([[0.0], [0.0], [0.0], [1.0]]), torch.eye(4)
    assert distance_loss(student, teacher).item() == pytest.approx(12 / 2 / 16, rel=1e-5)
    far = torch.tensor([[0.0]] * 9 + [[1.0]])  # Distances of 0 or 5, against 1: 72 of 1/2, and 18 of 4 - 1/2.
    assert distance_loss(far, torch.eye(10)).item() == pytest.approx((72 * 0.5 + 18 * 3.5) / 100, rel=1e-5)


def test_angles_of_triangles_by_hand():
    # Cosines of 1/2, against 0 at the right angle and √½ at the two others; each angle counts twice, of 27.
    others = (math.sqrt(0.5) - 0.5) ** 2 / 2
    assert angle_loss(EQUILATERAL, RIGHT_ANGLED).item() == pytest.approx((2 / 8 + 4 * others) / 27, rel=1e-5)
    # On the line: -1 in the middle, 1 at the ends. A difference of 3/2 counts as 3/2 - 1/2.
    assert angle_loss(EQUILATERAL, LINE).item() == pytest.approx((2 * 1.0 + 4 / 8) / 27, rel=1e-5)


@BOTH
def test_turned_moved_and_scaled_spaces_are_the_same(loss):
    student, teacher = rows(6, 4, seed=1), rows(2, 6, 9, seed=2)
    turn = torch.linalg.qr(rows(5, 5, seed=3)).Q
    moved = 3 * torch.nn.functional.pad(student, (0, 1)) @ turn + rows(5, seed=4)
    torch.testing.assert_close(loss(moved, teacher), loss(student, teacher), rtol=1e-9, atol=1e-12)


@BOTH
@pytest.mark.parametrize("width", [2, 4, 12])
@pytest.mark.parametrize("lead", [(), (3,)])
def test_gradients_are_those_of_differences(loss, width, lead):
    student, teacher = rows(*lead, 4, width, seed=1).requires_grad_(), rows(3, 4, 5, seed=2)
    assert torch.autograd.gradcheck(lambda student: loss(student, teacher), student)


@BOTH
def test_teachers_in_several_dimensions_are_compared_one_by_one(loss):
    student, teachers = rows(6, 4, seed=1), rows(2, 3, 6, 9, seed=2)
    values = loss(student, teachers)
    assert values.shape == (2, 3)
    torch.testing.assert_close(values[1, 2], loss(student, teachers[1, 2]))


def test_angles_do_not_depend_on_how_they_are_cut_up(monkeypatch):
    student, teacher = rows(7, 4, seed=1).requires_grad_(), rows(2, 7, 9, seed=2)
    results = []
    for chunk in (1, 2 * 7 * 7 * 3, 2**17):
        monkeypatch.setattr("trials.losses.rkd._CHUNK", chunk)
        loss_K = angle_loss(student, teacher)
        results.append((loss_K.detach(), *torch.autograd.grad(loss_K.sum(), student)))
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(results[2], results[0])


@pytest.mark.parametrize("lead", [(), (3,)])
@pytest.mark.parametrize("weights", [(2.0, 2.0, 2.0), (1.0, 0.0, -0.5)])
def test_large_batches_keep_less_and_give_the_same(monkeypatch, lead, weights):
    student, teacher = rows(*lead, 6, 4, seed=1).requires_grad_(), rows(3, 6, 5, seed=2)
    weights_K, results = torch.tensor(weights, dtype=student.dtype), []
    for kept in (0, 2**21):
        monkeypatch.setattr("trials.losses.rkd._KEPT", kept)
        loss_K = angle_loss(student, teacher)
        (node, _), *_ = loss_K.grad_fn.next_functions
        assert node.saved_tensors[2].numel() == (3 * 6**3 if kept else (3 if lead else 1) * 6 * 6 * 4)
        results.append((loss_K.detach(), *torch.autograd.grad((weights_K * loss_K).sum(), student)))
    torch.testing.assert_close(results[0], results[1])


@BOTH
@pytest.mark.parametrize("num_rows", [1, 2, 5])
def test_a_student_that_says_the_same_of_all_samples_gets_no_gradient(loss, num_rows):
    student = torch.ones(num_rows, 3, requires_grad=True)
    value = loss(student, rows(2, num_rows, 3).float())
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert (student.grad == 0).all()


def test_features_of_different_widths_are_compared_by_name():
    logits = Outputs(logits=torch.zeros(6, 3)).logits
    student = Outputs(logits=logits, features={"last": rows(6, 2, 2, 2, seed=1)})
    teachers = Outputs(logits=logits.expand(3, -1, -1), features={"last": rows(3, 6, 5, seed=2)})
    loss = RKD(None, layer="last", distance=2.0, angle=3.0)
    left, right = student.features["last"].reshape(6, 8), teachers.features["last"]
    expected_K = 2 * distance_loss(left, right) + 3 * angle_loss(left, right)
    torch.testing.assert_close(loss(student, teachers, torch.zeros(6)), expected_K)


def test_needs_are_the_layer_of_both_and_none_for_logits():
    assert RKD.needs() == Needs()
    assert RKD.needs(layer="last", distance=1.0, angle=2.0) == Needs(student=("last",), teacher=("last",))


def test_a_part_of_weight_0_is_left_out():
    student, teacher = Outputs(logits=rows(6, 4, seed=1)), Outputs(logits=rows(6, 4, seed=2))
    only_distances = RKD(None, distance=2.0, angle=0.0)(student, teacher, torch.zeros(6))
    assert only_distances == 2 * distance_loss(student.logits, teacher.logits)
    only_angles = RKD(None, distance=0.0, angle=2.0)(student, teacher, torch.zeros(6))
    assert only_angles == 2 * angle_loss(student.logits, teacher.logits)


@pytest.mark.parametrize("layer", ["last, stage1", "stage1=last", "", 3])
def test_one_layer_is_asked_for(layer):
    with pytest.raises(ValueError, match=r"layer takes one name, of a feature such as last\.pooled, or logits; got"):
        RKD.needs(layer=layer)
    assert RKD.needs(layer="body.stages.0").student == ("body.stages.0",)
