"""Adapters between features of any two shapes."""

import math

import pytest
import torch
from torch import nn

from trials.losses.adapters import MapAdapter, StackedLinear, kind
from trials.losses.adapting import make_adapter

B, K = 4, 3


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((7,), (5,)),
        ((6, 8), (5,)),
        ((3, 4, 4), (5,)),
        ((6, 8), (6, 5)),
        ((6, 8), (9, 5)),
        ((6, 8), (4, 5)),
        ((3, 4, 4), (16, 5)),
        ((3, 4, 4), (9, 5)),
        ((3, 4, 4), (5, 4, 4)),
        ((3, 8, 4), (5, 4, 2)),
        ((3, 4, 2), (5, 8, 4)),
        ((3, 7, 7), (5, 4, 4)),
        ((3, 3, 3), (5, 8, 8)),
        ((3, 8, 4), (5, 4, 4)),
        ((3, 6, 2), (5, 4, 4)),
        ((7,), (6, 5)),
        ((7,), (5, 4, 4)),
        ((7,), (5, 1, 3)),
        ((16, 7), (5, 4, 4)),
        ((17, 7), (5, 2, 2)),
        ((17, 32), (5, 8, 8)),
        ((16, 7), (5, 3, 7)),
        ((5, 7), (5, 1, 1)),
        ((11, 7), (5, 4, 3)),
        ((3, 7), (5, 2, 2)),
        ((2, 7), (5, 2, 2)),
        ((1, 7), (5, 2, 2)),
    ],
)
def test_shapes_are_those_of_the_teachers(source, target):
    adapter = make_adapter(source, target, num_teachers=K)
    features = randn(B, *source).requires_grad_()
    adapted = adapter(features)
    assert adapted.shape == (K, B, *target)
    adapted.square().sum().backward()
    assert features.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in adapter.parameters())


@pytest.mark.parametrize(("source", "target"), [((2, 3, 4, 5), (7,)), ((7,), ()), ((), (5, 4, 4))])
def test_what_is_no_vector_sequence_or_map_is_told_in_words(source, target):
    with pytest.raises(ValueError, match=r"features must be one of vector \(D\), sequence \(T, D\), feature map"):
        make_adapter(source, target, num_teachers=1)
    assert kind((1, 2, 3, 4)) == "features of shape (1, 2, 3, 4)"


def test_maps_and_sequences_are_averaged_to_vectors():
    for source, dims in (((3, 4, 4), (2, 3)), ((6, 3), (1,))):
        adapter, features = make_adapter(source, (5,), num_teachers=1), randn(B, *source)
        expected = nn.functional.linear(features.mean(dim=dims), adapter.linear.weight[0], adapter.linear.bias[0])
        torch.testing.assert_close(adapter(features)[0], expected)


def test_a_map_is_read_row_by_row_where_the_teacher_has_tokens():
    adapter = make_adapter((2, 2, 2), (4, 2), num_teachers=1)
    adapter.linear.weight.data[0], adapter.linear.bias.data[0] = torch.eye(2), 0
    features = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert adapter(features)[0, 0].tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_a_longer_sequence_is_averaged_to_the_shorter():
    adapter = make_adapter((4, 1), (2, 1), num_teachers=1)
    adapter.linear.weight.data[0], adapter.linear.bias.data[0] = torch.eye(1), 0
    assert adapter(torch.tensor([[[1.0], [3.0], [5.0], [9.0]]])).flatten().tolist() == [2.0, 7.0]


@pytest.mark.parametrize("separate", [False, True])
def test_stacked_linear_layers_are_those_of_pytorch_side_by_side(separate):
    stacked = StackedLinear(K, 6, 5, separate=separate)
    inputs = randn(K, B, 6) if separate else randn(B, 6)
    for k in range(K):
        alone = nn.functional.linear(inputs[k] if separate else inputs, stacked.weight[k], stacked.bias[k])
        torch.testing.assert_close(stacked(inputs)[k], alone)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(("source", "target"), [((3, 4, 4), (5, 4, 4)), ((3, 4, 4), (5, 8, 8)), ((3, 8, 8), (5, 4, 4))])
def test_stacked_layers_start_as_single_ones_do(source, target, separate):
    torch.manual_seed(0)
    stacked = MapAdapter(source, target, num_teachers=16, separate=separate)
    single = [MapAdapter(source, target, num_teachers=1) for _ in range(16)]
    for stacked_one, single_ones in (
        (stacked.conv.weight, torch.cat([each.conv.weight.flatten() for each in single])),
        (stacked.conv.bias, torch.cat([each.conv.bias for each in single])),
    ):
        assert stacked_one.std().item() == pytest.approx(single_ones.std().item(), rel=0.2)
        assert stacked_one.abs().max().item() == pytest.approx(single_ones.abs().max().item(), rel=0.1)


def test_linear_layers_start_within_the_bounds_of_pytorch():
    torch.manual_seed(0)
    stacked = StackedLinear(K, 16, 50)
    for values in stacked.parameters():
        assert 0.9 / math.sqrt(16) < values.abs().max() <= 1 / math.sqrt(16)


@pytest.mark.parametrize("target", [(6, 5), (5, 4, 3)])
def test_a_vector_says_the_same_at_each_position_but_for_what_is_learnt_of_it(target):
    adapter, features = make_adapter((7,), target, num_teachers=K), randn(B, 7)
    spread = adapter(features)
    channels_last = spread if len(target) == 2 else spread.movedim(2, -1)
    same = channels_last.flatten(2, -2)
    torch.testing.assert_close(same, adapter.linear(features)[:, :, None].expand_as(same))
    adapter.place.data.copy_(randn(K, 1, *target))
    torch.testing.assert_close(adapter(features) - spread, adapter.place.expand(K, B, *target))


def laid(length, size):
    """Where tokens that count up come to lie."""
    adapter = make_adapter((length, 1), (1, *size), num_teachers=1)
    seen = []
    adapter.adapter.forward = lambda grid: seen.append(grid) or grid[None]
    adapter(torch.arange(float(length)).reshape(1, length, 1))
    return seen[0][0, 0].tolist()


def test_tokens_are_laid_row_by_row_and_a_class_token_has_no_place():
    assert laid(4, (2, 2)) == laid(4, (8, 8)) == [[0, 1], [2, 3]]
    assert laid(5, (2, 2)) == laid(5, (1, 3)) == [[1, 2], [3, 4]]
    assert laid(10, (2, 2))[0] == [1, 2, 3]


def test_tokens_that_fill_no_square_are_stretched_or_averaged_to_the_map():
    assert laid(6, (2, 3)) == [[0, 1, 2], [3, 4, 5]]
    assert laid(12, (2, 3)) == [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]]
    assert laid(2, (2, 2)) == [[0, 0.25], [0.75, 1]]
