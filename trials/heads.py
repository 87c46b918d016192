"""A student with a head for each teacher while it is trained, folded into a plain one to be shipped.

Heads are linear maps of the same features, and the student predicts their weighted mean: that is a linear map again. So
what ships is the plain architecture, of the same size and speed, and gives the same answers.

Shape letters: B = batch, K = heads, C = classes.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from search_spaces import ModelSignature, SearchSpace, StudentSpec
from trials.student import Normalisation, Student

_TRIED = 4
"""Samples on which heads are tried out, and tokens of each."""
_TOLERANCE = 1e-3
"""Of the largest logit: float32 adds up the same numbers in another order."""


def build_student(
    space: SearchSpace,
    spec: StudentSpec,
    *,
    signature: ModelSignature,
    statistics: Normalisation | None,
    head_weights: Sequence[float] = (),
) -> Student:
    """Build an untrained student.

    Args:
        space: Made ``spec``; its body gives outputs of any shape that a signature names.
        spec: The architecture.
        signature: Of the student that ships, with one output.
        statistics: Of the training inputs.
        head_weights: As ``Lesson.head_weights``; empty for a plain student.
    """
    body = space.build(spec, _with_heads(signature, len(head_weights)) if head_weights else signature)
    return Student(body, signature=signature, statistics=statistics, head_weights=head_weights)


def fold(headed: Student, plain: Student, inputs: Tensor) -> None:
    """Give a plain student the answers of a headed one of the same architecture.

    Args:
        headed: As ``build_student`` made it with ``head_weights``, on the processor; put in evaluation mode.
        plain: As ``build_student`` made it without; its weights are replaced, and it is put in evaluation mode.
        inputs: Raw inputs of some samples (B, ...), on which the two are compared.

    Raises:
        ValueError: The two do not answer alike, since the last layer is not linear, or names do not tell which it is.
    """
    assert headed.head_weights is not None
    theirs, ours = list(headed.state_dict().values()), plain.state_dict()
    fits = len(theirs) == len(ours)
    if fits:
        # By position: a head of several outputs may stand one level deeper than a plain one.
        pairs = zip(ours.items(), theirs, strict=True)
        folded = {name: _folded(heads, own, headed.head_weights) for (name, own), heads in pairs}
        fits = all(folded[name].shape == own.shape for name, own in ours.items())
    if fits:
        plain.load_state_dict(folded)
        headed.eval()
        plain.eval()
        with torch.no_grad():
            expected, found = headed(inputs), plain(inputs)
        assert isinstance(expected, Tensor) and isinstance(found, Tensor)
        fits = bool((expected - found).abs().max() <= _TOLERANCE * expected.abs().max().clamp(min=1.0))
    if not fits:
        raise ValueError(
            "the heads of this student cannot be folded into one, since its space does not end in a linear layer of "
            "the signature's outputs; use another aggregation than mimic_all, or end the space in such a layer"
        )


def check_foldable(space: SearchSpace, spec: StudentSpec, signature: ModelSignature) -> None:
    """Try out whether the students of a space can have heads.

    Raises:
        ValueError: They cannot be folded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        headed = build_student(space, spec, signature=signature, statistics=None, head_weights=(0.25, 0.75))
        plain = build_student(space, spec, signature=signature, statistics=None)
        fold(headed, plain, _any_inputs(signature))


def _any_inputs(signature: ModelSignature) -> Tensor:
    if signature.vocabulary_size is not None:
        return torch.randint(1, signature.vocabulary_size, (_TRIED, _TRIED))
    return torch.randn(_TRIED, *signature.sole_input_shape)


def _with_heads(signature: ModelSignature, num_heads: int) -> ModelSignature:
    (output,) = signature.outputs
    return replace(signature, outputs=(replace(output, shape=(num_heads, *output.shape)),))


def _folded(heads: Tensor, plain: Tensor, weights_K: Tensor) -> Tensor:
    """Average what has a head's share in front; leave all else as it is."""
    if heads.shape == plain.shape or not heads.ndim or heads.numel() != len(weights_K) * plain.numel():
        return heads
    split = heads.reshape(len(weights_K), *plain.shape)
    mean: Tensor = torch.einsum("k...,k->...", split, weights_K.to(split.dtype))
    return mean
