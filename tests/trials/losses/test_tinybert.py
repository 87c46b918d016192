"""TinyBERT: masked scores, its single linear layer, and messages."""

import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES
from trials.losses.loss import Pairing

B = 2
LABELS = torch.zeros(B, dtype=torch.int64)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tinybert(student, teacher, **options):
    stacked = {name: values[None] for name, values in teacher.items()}
    sides = Outputs(logits=torch.zeros(B, 2), features=student), Outputs(logits=torch.zeros(1, B, 2), features=stacked)
    pairing = Pairing(student=sides[0], teacher=sides[1], student_model=nn.Identity())
    return LOSSES["tinybert"](pairing, **options), sides


def test_equal_layers_lose_nothing_through_an_identity():
    features = {"attention_last.scores": randn(B, 3, 4, 4), "last": randn(B, 4, 6)}
    loss, sides = tinybert(features, features)
    loss.linear.weight.data[0], loss.linear.bias.data[0] = torch.eye(6), 0
    assert torch.equal(loss(*sides, LABELS), torch.zeros(1, B))


def test_masked_scores_count_as_zero_on_both_sides():
    student, teacher = torch.zeros(B, 1, 2, 2), torch.zeros(B, 1, 2, 2)
    student[..., 1], teacher[..., 1] = -10_000.0, -100.0
    student[0, 0, 0, 0], teacher[1, 0, 0, 0] = 2.0, -99.0
    loss, sides = tinybert({"attention_last.scores": student}, {"attention_last.scores": teacher}, hidden="")
    assert loss(*sides, LABELS).tolist() == [[1.0, 99.0**2 / 4]]


def test_one_linear_layer_serves_all_hidden_states():
    student = {name: randn(B, 4, 6, seed=i) for i, name in enumerate(("stage1", "last"))}
    teacher = {name: randn(B, 4, 9, seed=5 + i) for i, name in enumerate(("stage2", "last"))}
    loss, _ = tinybert(student, teacher, attention="", hidden="stage1=stage2, last")
    assert sum(parameter.numel() for parameter in loss.parameters()) == 6 * 9 + 9


@pytest.mark.parametrize(
    ("student", "teacher", "options", "message"),
    [
        (
            (3, 4, 4),
            (2, 4, 4),
            {"hidden": ""},
            r"of the same heads and positions; .* has \(2, 3, 4, 4\) in the student",
        ),
        ((4, 6), (5, 6), {"attention": ""}, r"of the same positions; last=last is a sequence \(T, D\) \(4, 6\)"),
        ((3, 4, 4), (3, 4, 4), {"attention": ""}, r"hidden states \(T, D\) .* is a feature map"),
    ],
)
def test_shapes_that_do_not_fit_are_told(student, teacher, options, message):
    name = "last" if options.get("attention") == "" else "attention_last.scores"
    with pytest.raises(ValueError, match=message):
        tinybert({name: randn(B, *student)}, {name: randn(B, *teacher)}, **options)


def test_hidden_states_of_several_widths_are_told():
    student, teacher = (
        {"stage1": randn(B, 4, 6), "last": randn(B, 4, 8)},
        {"stage1": randn(B, 4, 6), "last": randn(B, 4, 6)},
    )
    with pytest.raises(ValueError, match=r"last=last has \(8, 6\), stage1=stage1 has \(6, 6\)"):
        tinybert(student, teacher, attention="", hidden="stage1, last")


def test_nothing_to_compare_is_told():
    with pytest.raises(ValueError, match="needs attention or hidden, got both empty"):
        LOSSES["tinybert"].needs(attention="", hidden="")
