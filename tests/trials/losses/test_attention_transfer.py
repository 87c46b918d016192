"""Attention transfer by hand, and its properties."""

import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES
from trials.losses.loss import Pairing

LABELS = torch.zeros(4, dtype=torch.int64)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def transfer(student, teacher):
    sides = (
        Outputs(logits=torch.zeros(len(student), 2), features={"last": student}),
        Outputs(logits=torch.zeros(*teacher.shape[:2], 2), features={"last": teacher}),
    )
    pairing = Pairing(student=sides[0], teacher=sides[1], student_model=nn.Identity())
    return LOSSES["attention_transfer"](pairing, layers="last")(*sides, LABELS[: len(student)])


def test_two_positions_by_hand():
    # The student looks at the first position alone, the teacher's squares are 3 and 4: (1 - 0.6)² and 0.8², halved.
    student = torch.tensor([[[[2.0, 0.0]]]])
    teacher = torch.tensor([[[[[3.0**0.5, 2.0]]]]])
    assert transfer(student, teacher).item() == pytest.approx((0.16 + 0.64) / 2, rel=1e-6)


def test_equal_attention_loses_nothing_whatever_the_channels_and_the_scale():
    features = randn(4, 3, 5, 5)
    teacher = 7 * torch.cat([features, -features], dim=1)[None]
    torch.testing.assert_close(transfer(features, teacher), torch.zeros(1, 4), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size_S", "size_T"), [((6, 6), (3, 3)), ((3, 3), (7, 7)), ((6, 2), (3, 4))])
def test_the_larger_feature_is_averaged_before_it_is_squared(size_S, size_T):
    student, teacher = randn(4, 3, *size_S).double(), randn(2, 4, 5, *size_T, seed=1).double()
    size = tuple(min(edges) for edges in zip(size_S, size_T, strict=True))
    loss_KB = transfer(student, teacher)
    for k in range(2):
        maps = [
            nn.functional.adaptive_avg_pool2d(each, size).square().mean(dim=1).flatten(1)
            for each in (student, teacher[k])
        ]
        maps = [each / each.norm(dim=1, keepdim=True) for each in maps]
        torch.testing.assert_close(loss_KB[k], (maps[0] - maps[1]).square().mean(dim=1))


def test_features_that_are_no_maps_are_told():
    with pytest.raises(ValueError, match=r"needs feature maps \(C, H, W\); last=last of the teacher is a vector \(D\)"):
        transfer(randn(4, 3, 5, 5), randn(1, 4, 5))
