"""The graph of a decoder that writes: one token at a time, with the keys and values of those before it.

It ships beside the graph that judges whole rows, with the same weights, and is what latency is measured on.

Shape letters: N = rows, T = tokens, P = tokens before.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search_spaces import CachedDecoder, Decoder, ModelSignature, StudentSpec, cached_signature
from trials.compress import Calibration
from trials.export import Template, replace_weights
from trials.sessions import open_session
from trials.student import Student
from trials.templates import trace_once

DECODING_FILES = {"float32": "generate.onnx", "int8": "generate.int8.onnx"}
"""Name of the graph in an exported folder, by precision."""

_CALIBRATION_ROWS = 32


def decodes(spec: StudentSpec, signature: ModelSignature) -> bool:
    """Tell whether students of an architecture have such a graph."""
    return spec.space == "decoder" and len(signature.outputs[0].shape) == 2


def trace_decoding(student: Student, spec: StudentSpec, signature: ModelSignature) -> Template:
    """Trace the graph once a worker; arguments are those of ``decodes``, and the student."""
    name = ("decoding", spec.architecture_digest)
    return trace_once(_cached(student), cached_signature(spec, signature), name=name)


def decoding_graph(template: Template, student: Student) -> bytes:
    """Fill a student's weights in."""
    return replace_weights(template, _cached(student))


def token_signature(spec: StudentSpec, signature: ModelSignature, *, length: int) -> ModelSignature:
    """Say what the graph takes for one token after ``length`` - 1 others."""
    cached = cached_signature(spec, signature)
    tokens, *past = cached.inputs
    sized = (replace(tokens, shape=(1,)), *(replace(each, shape=_sized(each.shape, length - 1)) for each in past))
    return replace(cached, inputs=sized)


def first_token_feeds(
    spec: StudentSpec, signature: ModelSignature, *, batch_size: int, length: int
) -> dict[str, NDArray[np.generic]]:
    """Make inputs up of which the graph reads a whole prompt, with nothing before it."""
    tokens, *past = cached_signature(spec, signature).inputs
    assert signature.vocabulary_size is not None
    ids_BT = np.random.default_rng(0).integers(1, signature.vocabulary_size, (batch_size, length))
    feeds: dict[str, NDArray[np.generic]] = {tokens.name: ids_BT}
    return feeds | {each.name: _nothing(each.shape, batch_size) for each in past}


def decoding_calibration(float32: bytes, ids_NT: NDArray[np.int64]) -> Calibration:
    """Give the second halves of rows, and the keys and values of the first, as the graph will meet them."""
    ids_NT = ids_NT[:_CALIBRATION_ROWS]
    half = max(1, ids_NT.shape[1] // 2)
    session = open_session(float32, threads=1, provider="cpu")
    tokens, *past = session.get_inputs()
    feeds: dict[str, NDArray[np.generic]] = {tokens.name: ids_NT[:, :half]}
    feeds |= {each.name: _nothing(tuple(each.shape[1:]), len(ids_NT)) for each in past}
    _, *present = session.run(None, feeds)
    names = [each.name for each in past]
    return {tokens.name: ids_NT[:, half:], **dict(zip(names, present, strict=True))}


def _cached(student: Student) -> CachedDecoder:
    assert isinstance(student.body, Decoder)
    return CachedDecoder(student.body)


def _sized(shape: tuple[int | None, ...], size: int) -> tuple[int, ...]:
    return tuple(size if known is None else known for known in shape)


def _nothing(shape: tuple[int | str | None, ...], num_texts: int) -> NDArray[np.float32]:
    """Give keys or values of no tokens; a graph writes a free size as a name."""
    return np.zeros((num_texts, *(size if isinstance(size, int) else 0 for size in shape)), dtype=np.float32)
