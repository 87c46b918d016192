"""Hints: what their adapters and layers do beside the published values."""

import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES
from trials.losses.loss import Pairing

LABELS = torch.zeros(4, dtype=torch.int64)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hint(student, teacher, **options):
    sides = Outputs(logits=torch.zeros(4, 2), features=student), Outputs(logits=torch.zeros(1, 4, 2), features=teacher)
    return LOSSES["hint"](Pairing(student=sides[0], teacher=sides[1], student_model=nn.Identity()), **options), sides


@pytest.mark.parametrize("shape", [(5,), (3, 5)])
def test_equal_vectors_and_sequences_lose_nothing_through_an_identity(shape):
    features = randn(4, *shape)
    loss, sides = hint({"last": features}, {"last": features[None]})
    loss.adapters[0].linear.weight.data[0], loss.adapters[0].linear.bias.data[0] = torch.eye(5), 0
    assert torch.equal(loss(*sides, LABELS), torch.zeros(1, 4))


def test_equal_maps_lose_nothing_through_an_identity():
    features = randn(4, 3, 5, 5).relu()
    loss, sides = hint({"last": features}, {"last": features[None]})
    loss.adapters[0].conv.weight.data = torch.eye(3).reshape(3, 3, 1, 1)
    loss.adapters[0].conv.bias.data.zero_()
    # Batch normalisation without statistics yet divides by the root of 1 + 1e-5.
    assert loss.eval()(*sides, LABELS).max() < 1e-9


def test_errors_of_several_layers_are_added_up():
    student, teacher = {"a": randn(4, 5), "b": randn(4, 3, 6, 6)}, {"a": randn(1, 4, 7), "c": randn(1, 4, 2, 6, 6)}
    both, sides = hint(student, teacher, layers="a, b=c")
    parts = []
    for layers, i in (("a", 0), ("b=c", 1)):
        loss, _ = hint(student, teacher, layers=layers)
        loss.adapters[0].load_state_dict(both.adapters[i].state_dict())
        parts.append(loss(*sides, LABELS))
    torch.testing.assert_close(both(*sides, LABELS), parts[0] + parts[1])


def test_a_pair_that_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match=r"layers last=stage2: features must be one of .* got features of shape"):
        hint({"last": randn(4, 5, 2, 2, 2)}, {"stage2": randn(1, 4, 3, 5, 5)}, layers="last=stage2")
