"""The graph of a decoder: keys and values of the tokens before come in, those of all go out.

It is the only one that ships: with nothing before, it judges whole texts; with what it gave before, it writes token by
token, which is what latency is measured on.

Shape letters: N = rows, T = tokens.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from search_spaces import CachedDecoder, Decoder, ModelSignature, StudentSpec, TensorSpec, cached_signature
from trials.student import Student


def decodes(spec: StudentSpec, signature: ModelSignature) -> bool:
    """Tell whether students of an architecture have such a graph."""
    return spec.space == "decoder" and len(signature.outputs[0].shape) == 2


def shipped_form(
    student: Student, spec: StudentSpec, signature: ModelSignature
) -> tuple[Student | CachedDecoder, ModelSignature]:
    """Give the module whose graph ships, and its tensors: the student itself, unless it decodes.

    Args:
        student: Built; the module shares its weights.
        spec: Its architecture.
        signature: Of the student.
    """
    if not decodes(spec, signature):
        return student, signature
    body: nn.Module = student.body
    assert isinstance(body, Decoder)
    return CachedDecoder(body), cached_signature(spec, signature)


def past_of(spec: StudentSpec, signature: ModelSignature) -> tuple[TensorSpec, ...]:
    """Describe what the graph takes of tokens before; nothing of a student that does not decode."""
    return cached_signature(spec, signature).inputs[1:] if decodes(spec, signature) else ()


def token_signature(spec: StudentSpec, signature: ModelSignature, *, length: int) -> ModelSignature:
    """Say what the graph takes for one token after ``length`` - 1 others; a size that is left open means none."""
    cached = cached_signature(spec, signature)
    tokens, *past = cached.inputs
    before = past if length == 1 else [replace(each, shape=_sized(each.shape, length - 1)) for each in past]
    return replace(cached, inputs=(replace(tokens, shape=(1,)), *before))


def prompt_signature(spec: StudentSpec, signature: ModelSignature, *, length: int) -> ModelSignature:
    """Say what the graph takes for a whole prompt of ``length`` tokens; a size that is left open means none before."""
    cached = cached_signature(spec, signature)
    tokens, *past = cached.inputs
    return replace(cached, inputs=(replace(tokens, shape=(length,)), *past))


def nothing_before(past: tuple[TensorSpec, ...], num_texts: int) -> dict[str, NDArray[np.generic]]:
    """Give keys and values of no tokens, by name."""
    return {each.name: np.zeros((num_texts, *_sized(each.shape, 0)), dtype=each.dtype) for each in past}


def _sized(shape: tuple[int | None, ...], size: int) -> tuple[int, ...]:
    return tuple(size if known is None else known for known in shape)
