"""AFD: the links between layers."""

import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES
from trials.losses.loss import Pairing

LABELS = torch.zeros(4, dtype=torch.int64)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def afd(student, teacher, **options):
    sides = Outputs(logits=torch.zeros(4, 2), features=student), Outputs(logits=torch.zeros(1, 4, 2), features=teacher)
    torch.manual_seed(0)
    pairing = Pairing(student=sides[0], teacher=sides[1], student_model=nn.Identity())
    return LOSSES["afd"](pairing, width=6, **options), sides


def test_a_single_layer_that_looks_where_the_teacher_looks_loses_nothing():
    features = randn(4, 3, 5, 5)
    loss, sides = afd({"last": features}, {"last": 3 * features[None]}, layers="last")
    torch.testing.assert_close(loss(*sides, LABELS), torch.zeros(1, 4), rtol=0, atol=1e-12)


def test_every_layer_of_the_teacher_shares_itself_out_among_all_of_the_student():
    student = {"a": randn(4, 3, 6, 6), "b": randn(4, 5, 3, 3, seed=1)}
    teacher = {"x": randn(1, 4, 2, 6, 6, seed=2), "y": randn(1, 4, 2, 4, 4, seed=3), "z": randn(1, 4, 7, 4, 4, seed=4)}
    loss, _ = afd(student, teacher, layers="a=x, b=y, a=z")
    shares_KBLS = loss._shares(list(student.values()), list(teacher.values()))
    assert shares_KBLS.shape == (1, 4, 3, 2)
    torch.testing.assert_close(shares_KBLS.sum(dim=3), torch.ones(1, 4, 3))


def test_pairs_say_no_more_than_which_layers_there_are():
    student = {"a": randn(4, 3, 6, 6), "b": randn(4, 5, 3, 3, seed=1)}
    teacher = {"x": randn(1, 4, 2, 6, 6, seed=2), "y": randn(1, 4, 2, 4, 4, seed=3)}
    one, sides = afd(student, teacher, layers="a=x, b=y")
    other, _ = afd(student, teacher, layers="a=x, a=y, b=x")
    assert torch.equal(one(*sides, LABELS), other(*sides, LABELS))


def test_features_that_are_no_maps_are_told():
    with pytest.raises(ValueError, match=r"afd needs feature maps \(C, H, W\); last is a sequence \(T, D\) \(5, 3\)"):
        afd({"last": randn(4, 5, 3)}, {"last": randn(1, 4, 3, 2, 2)}, layers="last")


@pytest.mark.parametrize("width", [0, 2.5])
def test_a_width_that_is_none_is_told(width):
    with pytest.raises(ValueError, match=f"whole number above 0, got {width}"):
        LOSSES["afd"].needs(width=width)
