"""Heads of a student in training, and the plain student that they fold into.

Shape letters: N = rows, K = heads, B = batch, C = classes.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from search_spaces import SPACES, ModelSignature, SearchSpace, TensorSpec, sample
from trials.heads import build_student, check_foldable, fold
from trials.student import Normalisation

SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(1, 8, 8)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
)
STATISTICS = Normalisation(mean=(0.5,), std=(2.0,), value_range=(0.0, 1.0))
WEIGHTS = (0.5, 0.125, 0.375)
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 1, 8, 8)).astype(np.float32))


def pair(space, spec, weights=WEIGHTS):
    """A headed student and a plain one, both as if they had been trained for a while."""
    torch.manual_seed(0)
    students = []
    for head_weights in (weights, ()):
        student = build_student(space, spec, signature=SIGNATURE, statistics=STATISTICS, head_weights=head_weights)
        for tensor in student.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim:
                tensor.add_(0.1 * torch.rand_like(tensor))
        students.append(student)
    return students


@pytest.mark.parametrize("name", ["convnet", "mlp"])
def test_a_folded_student_is_the_plain_architecture_with_the_answers_of_the_mean(name):
    space = SPACES[name]()
    for seed in range(6):
        headed, plain = pair(space, space.spec(sample(space.choices, np.random.default_rng(seed))))
        fold(headed, plain, IMAGES)
        with torch.no_grad():
            heads = headed.heads(IMAGES)
            expected = sum(weight * heads[:, k] for k, weight in enumerate(WEIGHTS))
            assert heads.shape == (6, 3, 3)
            torch.testing.assert_close(headed(IMAGES), expected)
            torch.testing.assert_close(plain(IMAGES), expected, rtol=1e-4, atol=1e-4)


def test_all_but_the_head_is_taken_as_it_is():
    space = SPACES["mlp"]()
    values = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": True, "dropout": 0.1}
    headed, plain = pair(space, space.spec(values | {"layer1.width": 9}))  # As wide as three heads of three classes.
    fold(headed, plain, IMAGES)
    theirs, ours = list(headed.state_dict().values()), list(plain.state_dict().values())
    same = [torch.equal(a, b) for a, b in zip(theirs, ours, strict=True) if a.shape == b.shape]
    assert len(same) == len(ours) - 3  # weight and bias of the head, weight of the shortcut
    assert all(same)


def test_one_head_is_a_plain_student():
    space = SPACES["mlp"]()
    headed, plain = pair(space, space.spec(sample(space.choices, np.random.default_rng(1))), weights=(1.0,))
    fold(headed, plain, IMAGES)
    with torch.no_grad():
        torch.testing.assert_close(plain(IMAGES), headed(IMAGES))


class Squashed(nn.Module):
    """Its last layer is not linear."""

    def __init__(self, num_outputs):
        super().__init__()
        self.linear = nn.Linear(64, int(np.prod(num_outputs)))
        self.num_outputs = num_outputs

    def forward(self, inputs):
        return self.linear(inputs.flatten(1)).tanh().reshape(-1, *self.num_outputs)


class OneLayerMore(Squashed):
    """With several heads it has another layer."""

    def __init__(self, num_outputs):
        super().__init__(num_outputs)
        self.more = nn.Linear(2, 2) if len(num_outputs) > 1 else None


@pytest.mark.parametrize("body", [Squashed, OneLayerMore])
def test_a_space_that_does_not_end_in_a_linear_layer_is_refused(body):
    space = SearchSpace(name="odd", choices=(), build=lambda spec, signature: body(signature.sole_output_shape))
    message = "cannot be folded into one, since its space does not end in a linear layer"
    with pytest.raises(ValueError, match=message):
        check_foldable(space, space.spec({}), SIGNATURE)


def test_trying_out_leaves_random_numbers_alone():
    space = SPACES["convnet"]()
    spec = space.spec(sample(space.choices, np.random.default_rng(0)))
    before = torch.random.get_rng_state()
    check_foldable(space, spec, replace(SIGNATURE))
    assert torch.equal(torch.random.get_rng_state(), before)
