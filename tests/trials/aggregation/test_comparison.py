"""What a comparison asks of a loss: one value a teacher and sample, or one a teacher.

Shape letters: K = teachers, B = batch, C = classes.
"""

import functools

import pytest
import torch
from torch import nn

from teachers import LabelGroup, Outputs, TeacherOutputs
from trials.aggregation import Comparison
from trials.losses import batch_statistic, compares_teachers

K, B, C = 3, 6, 4
LABELS = torch.zeros(B, dtype=torch.int64)
STUDENT, TEACHERS = Outputs(logits=torch.zeros(B, C)), TeacherOutputs(logits=torch.ones(K, B, C))


def losses(loss, weights_KB=None):
    comparison = Comparison(loss=loss, group=LabelGroup(teachers=tuple(range(K)), classes=None))
    weights_KB = torch.ones(K, B) if weights_KB is None else weights_KB
    return comparison.losses(STUDENT, TEACHERS, LABELS, weights_KB)


def squared(student, teacher, label_B, *, dims=(-1,)):
    del label_B
    return (student.logits - teacher.logits).square().mean(dim=dims)


def test_a_value_for_each_teacher_and_sample_is_taken_as_it_is():
    torch.testing.assert_close(losses(squared), torch.ones(K, B))


@pytest.mark.parametrize("dims", [(0, 1, 2), (1, 2), (0, 2)])
def test_a_loss_that_averages_too_much_is_told_by_name_and_shape(dims):
    # Else it would be broadcast, and teachers would vote on rows that they do not cover.
    with pytest.raises(ValueError, match=r"squared.* gave shape \(.*\), expected \(3, 6\).*batch_statistic"):
        losses(functools.partial(squared, dims=dims))


class Mean(nn.Module):
    def forward(self, student, teacher, label_B):
        return squared(student, teacher, label_B).mean()


def test_a_module_is_told_by_its_class():
    with pytest.raises(ValueError, match=r"Mean gave shape \(\), expected \(3, 6\)"):
        losses(Mean())


@pytest.mark.parametrize("votes", [True, False])
def test_a_statistic_of_the_batch_gives_one_value_a_teacher(votes):
    weights_KB = torch.ones(K, B)
    weights_KB[0, 0] = float(votes)

    @batch_statistic
    def over_batch(student, teacher, label_B):
        return squared(student, teacher, label_B, dims=(1, 2))

    @batch_statistic
    def over_all(student, teacher, label_B):
        return squared(student, teacher, label_B, dims=(0, 1, 2))

    torch.testing.assert_close(losses(over_batch, weights_KB), (weights_KB > 0).float())
    with pytest.raises(ValueError, match=r"over_all gave shape \(\), expected \(\d,\), one value a teacher"):
        losses(over_all, weights_KB)


def test_one_that_compares_teachers_is_held_to_the_same():
    @compares_teachers
    def by_votes(student, teacher, label_B, *, votes_KB):
        return (votes_KB * squared(student, teacher, label_B)).sum(dim=0)

    with pytest.raises(ValueError, match=r"by_votes gave shape \(6,\), expected \(3, 6\)"):
        losses(by_votes)
