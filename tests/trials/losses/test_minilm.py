"""MiniLM against its formula in loops, and its properties."""

import numpy as np
import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES
from trials.losses.loss import Pairing

B, T = 2, 4
LABELS = torch.zeros(B, dtype=torch.int64)
PARTS = ("query", "key", "value")


def heads(num_heads, width, *, seed, length=T):
    generator = torch.Generator().manual_seed(seed)
    return {
        f"attention_last.{part}": torch.randn(B, num_heads, length, width // num_heads, generator=generator)
        for part in PARTS
    }


def minilm(student, teacher, **options):
    stacked = {name: values[None] for name, values in teacher.items()}
    sides = Outputs(logits=torch.zeros(B, 2), features=student), Outputs(logits=torch.zeros(1, B, 2), features=stacked)
    loss = LOSSES["minilm"](Pairing(student=sides[0], teacher=sides[1], student_model=nn.Identity()), **options)
    return loss(*sides, LABELS)


def relation(first, second, num_heads):
    """Softmaxes of products, (B, R, T, T), in double precision."""
    sides = []
    for vectors in (first, second):
        joined = np.concatenate(
            [vectors[:, head].numpy().astype(np.float64) for head in range(vectors.shape[1])], axis=-1
        )
        sides.append(np.split(joined, num_heads, axis=-1))
    products = [a @ b.swapaxes(1, 2) / np.sqrt(a.shape[-1]) for a, b in zip(*sides, strict=True)]
    exponentials = np.exp(np.stack(products, axis=1))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("version", "pairs"), [(1, ["qk", "vv"]), (2, ["qq", "kk", "vv"])])
@pytest.mark.parametrize("relation_heads", [1, 2, 4])
def test_value_is_that_of_the_formula(version, pairs, relation_heads):
    student, teacher = heads(4, 8, seed=0), heads(2, 12, seed=1)
    names = {part[0]: f"attention_last.{part}" for part in PARTS}
    expected = np.zeros(B)
    for first, second in pairs:
        R_S, R_T = (relation(side[names[first]], side[names[second]], relation_heads) for side in (student, teacher))
        expected += (R_T * np.log(R_T / R_S)).sum(axis=(1, 2, 3)) / (relation_heads * T)
    loss_KB = minilm(student, teacher, version=version, relation_heads=relation_heads)
    np.testing.assert_allclose(loss_KB[0].numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("version", [1, 2])
def test_padding_is_related_to_nothing(version):
    student, teacher = heads(4, 8, seed=0), heads(2, 12, seed=1)
    seen = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
    found_B = minilm(student | {"attention_last.seen": seen}, teacher, version=version)[0]
    for row, length in enumerate((4, 2)):
        cut = [
            {name: values[row : row + 1, :, :length] for name, values in side.items()} for side in (student, teacher)
        ]
        torch.testing.assert_close(found_B[row], minilm(*cut, version=version)[0, 0])
    torch.testing.assert_close(
        minilm(student | {"attention_last.seen": torch.ones(B, T)}, teacher, version=version),
        minilm(student, teacher, version=version),
    )


def test_what_stands_at_padding_is_learnt_by_nobody():
    student, teacher = heads(4, 8, seed=0), heads(2, 12, seed=1)
    vectors = {name: values.clone().requires_grad_() for name, values in student.items()}
    seen = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
    minilm(vectors | {"attention_last.seen": seen}, teacher).sum().backward()
    for values in vectors.values():
        assert values.grad.isfinite().all()
        assert (values.grad[1, :, 2:] == 0).all()
        assert (values.grad[1, :, :2] != 0).any()


@pytest.mark.parametrize("version", [1, 2])
def test_equal_vectors_lose_nothing_however_they_are_cut_into_heads(version):
    teacher = heads(2, 8, seed=0)
    student = {name: values.transpose(1, 2).reshape(B, T, 4, 2).transpose(1, 2) for name, values in teacher.items()}
    torch.testing.assert_close(minilm(student, teacher, version=version), torch.zeros(1, B), rtol=0, atol=1e-6)


def test_needs_are_those_of_the_version():
    parts = {version: LOSSES["minilm"].needs(layers="attention1=attention2", version=version) for version in (1, 2)}
    assert parts[1].student == parts[2].student == tuple(f"attention1.{part}" for part in (*PARTS, "seen"))
    assert parts[1].teacher == tuple(f"attention2.{part}" for part in PARTS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 3}, r"version of minilm must be one of 1, 2, got 3"),
        ({"relation_heads": 3}, r"must divide the widths \[8, 12\] .* got 3; these do: \[1, 2, 4\]"),
        ({"relation_heads": -1}, "whole number, at least 0, got -1"),
    ],
)
def test_options_that_do_not_fit_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        minilm(heads(4, 8, seed=0), heads(3, 12, seed=1), **options)


def test_other_tokens_are_told():
    with pytest.raises(ValueError, match=r"query has 4 in the student, 5 in the teacher: both must cut their input"):
        minilm(heads(4, 8, seed=0), heads(3, 12, seed=1, length=5))


def test_heads_that_share_keys_are_told_for_version_1():
    teacher = heads(3, 12, seed=1)
    for part in ("key", "value"):
        teacher[f"attention_last.{part}"] = teacher[f"attention_last.{part}"][:, :1]
    with pytest.raises(ValueError, match=r"vectors of one width; .*query has \[8, 12\], .*key has \[8, 4\]"):
        minilm(heads(4, 8, seed=0), teacher, version=1)
    assert minilm(heads(4, 8, seed=0), teacher, version=2).shape == (1, B)


def test_vectors_without_heads_are_told():
    student = {name: values[:, 0] for name, values in heads(4, 8, seed=0).items()}
    with pytest.raises(ValueError, match=r"needs \(B, heads, T, d\) of attention_last.query"):
        minilm(student, heads(3, 12, seed=1))
