"""Whether the graphs that ship say what the trained module says.

Shape letters: B = batch, N = inputs, T = tokens, C = classes or other outputs, S = statistics: channels of images or
features of vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import ModelSignature
from trials.compress import PRECISIONS
from trials.export import meant, onnx_predictor, parity
from trials.records import VARYING_SIZE
from trials.student import Normalisation, Student
from trials.tokenization import PADDING

_ROWS = 256
_LARGEST_DIFFERENCE = 1e-4
_LEAST_AGREEMENT = 0.7
"""On made-up inputs, many of them near the border of two classes; a graph of another student agrees by chance."""


class DamagedGraphError(ValueError):
    """A graph, told by the name of its file, cannot be loaded."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How near a graph is to the module.

    Args:
        precision: Of the graph.
        value: For float32 the largest difference of logits, else the share of inputs with the same answer.
        bound: What ``value`` must not exceed for float32, and must reach for others.
        inputs: Number of inputs that were compared.
    """

    precision: str
    value: float
    bound: float
    inputs: int

    @property
    def holds(self) -> bool:
        """Whether the graph may ship; not where an answer is not a number."""
        return self.value <= self.bound if self.precision == "float32" else self.value >= self.bound

    def __str__(self) -> str:
        """Say it in words."""
        if self.precision == "float32":
            return (
                f"float32: logits differ from the trained module by at most {self.value:.2g} "
                f"on {self.inputs} made-up inputs (allowed {self.bound:.2g})"
            )
        return (
            f"{self.precision}: answers as the trained module on {self.value:.1%} "
            f"of {self.inputs} made-up inputs (at least {self.bound:.0%} needed)"
        )


def compare(
    student: Student, graphs: Mapping[str, bytes], signature: ModelSignature, statistics: Normalisation | None
) -> dict[str, Parity]:
    """Run graphs beside the trained module.

    The inputs are made up, so that an export needs no data: half are spread as the training data were, half evenly
    over all values that an input can have, where a wrong preprocessing shows.

    Args:
        student: The trained module.
        graphs: By precision.
        signature: Of the student, with one input.
        statistics: Of its training data.

    Returns:
        One record a graph, in the order of ``graphs``.

    Raises:
        DamagedGraphError: ONNX Runtime cannot load one.
    """
    inputs = torch.from_numpy(_made_up(signature, statistics))
    with torch.no_grad():
        outputs = student(inputs)
    answers_BC = meant((outputs[0] if isinstance(outputs, tuple) else outputs).numpy(), inputs)
    # Sums in another order round otherwise, in proportion to what is summed.
    bound = _LARGEST_DIFFERENCE * max(1.0, float(np.abs(answers_BC).max()))
    found = {}
    for precision, graph in graphs.items():
        try:
            predict = onnx_predictor(graph)
        except Exception as error:  # ONNX Runtime has many, which share no class of their own
            raise DamagedGraphError(PRECISIONS[precision].file_name) from error
        if precision == "float32":
            found[precision] = Parity(
                precision=precision, value=parity(student, predict, inputs), bound=bound, inputs=_ROWS
            )
        else:
            answered_BC = meant(predict(inputs), inputs)
            same = (answered_BC.argmax(axis=-1) == answers_BC.argmax(axis=-1)).mean()
            value = float(same) if np.isfinite(answered_BC).all() else float("nan")
            found[precision] = Parity(precision=precision, value=value, bound=_LEAST_AGREEMENT, inputs=_ROWS)
    return found


def _made_up_ids(vocabulary_size: int, length: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Make up texts of one to all tokens, filled up at their end."""
    ids_NT = chance.integers(1, vocabulary_size, (_ROWS, length))
    lengths_N = np.linspace(1, length, _ROWS).astype(np.int64)
    return np.where(np.arange(length) < lengths_N[:, None], ids_NT, PADDING)


def _made_up(signature: ModelSignature, statistics: Normalisation | None) -> NDArray[np.generic]:
    chance = np.random.default_rng(0)
    (tensor,) = signature.inputs
    dtype = np.dtype(tensor.dtype)
    shape = tuple(VARYING_SIZE if size is None else size for size in tensor.shape)
    if statistics is None:
        if dtype.kind == "f":
            return chance.standard_normal((_ROWS, *shape)).astype(dtype)
        if dtype == np.int64 and signature.vocabulary_size is not None:
            return _made_up_ids(signature.vocabulary_size, shape[-1], chance)
        return chance.integers(0, 2, (_ROWS, *shape)).astype(dtype)
    along = (-1, *(1,) * (len(shape) - 1))
    mean_S, std_S = np.reshape(statistics.mean, along), np.reshape(statistics.std, along)
    low, high = statistics.value_range
    likely = np.clip(chance.normal(mean_S, std_S, (_ROWS // 2, *shape)), low, high)
    possible = chance.uniform(low, high, (_ROWS // 2, *shape))
    values = np.concatenate([likely, possible])
    return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)
