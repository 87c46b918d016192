"""Relations of pairs by hand, and which pairs are made."""

import math

import pytest
import torch

from teachers import MISSING_LABEL, Outputs
from trials.losses.cluster_relation import ClusterRelation, pairs_loss
from trials.losses.loss import Needs

STUDENT = torch.tensor([[1.0, 2.0], [2.0, 0.0], [3.0, -1.0], [0.5, 4.0]])
TEACHER = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0], [0.0, -1.0]])
# Products of the student's first and third, second and fourth sample: 1 and 1; cosines of the teacher: 3/5 and -1.


def test_two_pairs_by_hand():
    expected = math.hypot(1 - 0.6, 1 + 0.9999) / 2
    turned = TEACHER + torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0141428, 0.0]])  # A cosine of -0.9999.
    assert pairs_loss(STUDENT, turned).item() == pytest.approx(expected, rel=1e-4)


def test_pairs_that_the_teacher_finds_opposite_do_not_count():
    assert pairs_loss(STUDENT, TEACHER).item() == pytest.approx(0.4, rel=1e-5)
    assert pairs_loss(STUDENT, TEACHER, lowest=1.7).item() == 0


def test_the_middle_of_an_odd_batch_is_left_out():
    middle = torch.tensor([[9.0, 9.0]], requires_grad=True)
    student = torch.cat([STUDENT[:2], middle, STUDENT[2:]])
    loss = pairs_loss(student, torch.cat([TEACHER[:2], middle.detach(), TEACHER[2:]]))
    loss.backward()
    assert loss == pairs_loss(STUDENT, TEACHER)
    assert (middle.grad == 0).all()


@pytest.mark.parametrize("num_rows", [0, 1])
def test_without_a_pair_there_is_no_loss(num_rows):
    student = torch.ones(num_rows, 2, requires_grad=True)
    loss_K = pairs_loss(student, torch.ones(3, num_rows, 5))
    loss_K.sum().backward()
    assert loss_K.tolist() == [0, 0, 0]
    assert (student.grad == 0).all()


def test_rows_with_a_label_can_be_left_out():
    labels = torch.tensor([MISSING_LABEL, 1, MISSING_LABEL, 0])
    student, teacher = Outputs(logits=STUDENT), Outputs(logits=TEACHER.expand(3, -1, -1))
    loss_K = ClusterRelation(None, unlabelled_only=True)(student, teacher, labels)
    torch.testing.assert_close(loss_K, pairs_loss(STUDENT[[0, 2]], TEACHER[[0, 2]]).expand(3))
    assert ClusterRelation(None, unlabelled_only=True)(student, teacher, torch.zeros(4)).tolist() == [0, 0, 0]


def test_cosines_can_be_of_a_feature_of_the_teachers():
    feature = torch.sin(torch.arange(24.0)).reshape(4, 3, 2)
    teacher = Outputs(logits=TEACHER, features={"last": feature})
    loss = ClusterRelation(None, layer="last", lowest=0.5)(Outputs(logits=STUDENT), teacher, torch.zeros(4))
    assert loss == pairs_loss(STUDENT, feature.reshape(4, 6), lowest=0.5)
    assert ClusterRelation.needs() == Needs()
    assert ClusterRelation.needs(layer="last", unlabelled_only=True, lowest=0.5) == Needs(teacher=("last",))
