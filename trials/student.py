"""A student as it is trained and shipped: preprocessing inside the graph, then the body that a search space built.

Shape letters: B = batch, N = rows, S = statistics: channels of images or features of vectors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search_spaces import ModelSignature
from trials.data import Dataset

_CHUNK_ROWS = 1024
_CONSTANT = 1e-6
"""A spread below this share of the mean is rounding of a constant, not a spread."""


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """What is known of the training rows' inputs.

    Args:
        mean: Of each channel or feature, in raw units.
        std: Standard deviation of each, above 0; 1 where a feature is constant.
        value_range: Raw values of an image file's black and white, so that files can be read into a student whose
            data has another range than 0 to 255.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    value_range: tuple[float, float]

    def __post_init__(self) -> None:
        """Reject statistics that cannot be applied."""
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"need as many means as deviations, got {len(self.mean)} and {len(self.std)}")
        if not all(deviation > 0 for deviation in self.std):
            raise ValueError(f"deviations must be above 0, got {self.std}")


def normalisation(dataset: Dataset) -> Normalisation | None:
    """Measure the inputs of the training rows: by channel for images, by feature for vectors.

    Args:
        dataset: Only rows of its training split are read.

    Returns:
        The statistics; None for texts and token ids, which are not normalised.

    Raises:
        ValueError: An input is not a finite number.
    """
    inputs, rows = dataset.inputs, dataset.splits["train"]
    if isinstance(inputs, list) or inputs.dtype.kind == "i":
        return None
    if inputs.ndim < 2:
        raise ValueError(f"inputs must be images (N, C, H, W) or vectors (N, D), got shape {inputs.shape}")
    axes = (0, *range(2, inputs.ndim))
    count = len(rows) * int(np.prod(inputs.shape[2:]))
    mean_S = sum(chunk.sum(axis=axes) for chunk in _chunks(inputs, rows)) / count
    if not np.isfinite(mean_S).all():
        raise ValueError(
            f"inputs must be finite numbers; columns {np.flatnonzero(~np.isfinite(mean_S)).tolist()} are not"
        )
    # A second pass: the difference of squares loses all digits where the mean is large.
    shape = (1, -1, *(1,) * (inputs.ndim - 2))
    squares_S = sum(np.square(chunk - mean_S.reshape(shape)).sum(axis=axes) for chunk in _chunks(inputs, rows))
    std_S = np.sqrt(squares_S / count)
    std_S = np.where(std_S <= _CONSTANT * np.abs(mean_S), 1.0, std_S)
    return Normalisation(mean=_floats(mean_S), std=_floats(std_S), value_range=_value_range(inputs, rows))


class Student(nn.Module):
    """Preprocessing and body in one graph, so that what ships takes raw inputs."""

    head_weights: Tensor | None

    def __init__(
        self,
        body: nn.Module,
        *,
        signature: ModelSignature,
        statistics: Normalisation | None,
        head_weights: Sequence[float] = (),
    ) -> None:
        """Put the two together.

        Args:
            body: Takes what the preprocessing gives, returns the signature's outputs.
            signature: Raw inputs; the statistics are laid along the first dimension of the only input.
            statistics: None where the body takes the raw inputs as they are, as token ids.
            head_weights: Of the heads of a student in training (see ``trials.heads``), adding up to 1; its body returns
                (B, K, ...), of which the student gives the weighted mean. Empty for a student without heads.
        """
        super().__init__()
        self.preprocess = None
        if statistics is not None:
            self.preprocess = _Normalise(statistics, rank=len(signature.sole_input_shape))
        self.body = body
        weights_K = torch.tensor(head_weights) if head_weights else None
        self.register_buffer("head_weights", weights_K, persistent=False)  # The recipe knows them.

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Turn raw inputs, in the order of the signature, into its outputs."""
        if self.preprocess is not None:
            inputs = (self.preprocess(*inputs),)
        outputs = self.body(*inputs)
        assert isinstance(outputs, Tensor | tuple)
        if self.head_weights is not None:
            assert isinstance(outputs, Tensor)
            return self.mean(outputs)
        return outputs

    def heads(self, *inputs: Tensor) -> Tensor:
        """Turn raw inputs into what each head says (B, K, ...)."""
        if self.preprocess is not None:
            inputs = (self.preprocess(*inputs),)
        heads: Tensor = self.body(*inputs)
        return heads

    def mean(self, heads: Tensor) -> Tensor:
        """Average what the heads say: (B, K, ...) → (B, ...)."""
        assert self.head_weights is not None, "this student has no heads"
        mean: Tensor = torch.einsum("bk...,k->b...", heads, self.head_weights)
        return mean


def save_weights(module: nn.Module) -> bytes:
    """Write parameters and buffers as a safetensors file; tensors that share memory are written once."""
    return bytes(safetensors.torch.save(_own_tensors(module)))


def load_weights(module: nn.Module, data: bytes) -> None:
    """Read what ``save_weights`` wrote into a module of the same architecture.

    Raises:
        ValueError: The file is damaged, or names or shapes differ from the module's.
    """
    try:
        tensors = safetensors.torch.load(data)
    except Exception as error:  # safetensors has an error class of its own, which is not public
        raise ValueError(f"the weights cannot be read as safetensors: {error}") from error
    expected = {name: tuple(tensor.shape) for name, tensor in _own_tensors(module).items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise ValueError(
            f"the weights are of another architecture: {wrong[0]!r} has shape {found.get(wrong[0])} in the file "
            f"and {expected.get(wrong[0])} in the model ({len(wrong)} tensors differ)"
        )
    module.load_state_dict(tensors, strict=False)  # What shares memory with a tensor of the file is not in the file.


class _Normalise(nn.Module):
    """Cast to float, subtract the mean, divide by the deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: Normalisation, *, rank: int) -> None:
        super().__init__()
        shape = (-1, *(1,) * (rank - 1))
        self.register_buffer("mean", torch.tensor(statistics.mean, dtype=torch.float32).reshape(shape))
        self.register_buffer("std", torch.tensor(statistics.std, dtype=torch.float32).reshape(shape))

    def forward(self, raw: Tensor) -> Tensor:
        return (raw.to(torch.float32) - self.mean) / self.std


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Give each tensor of the state once, under its first name, laid out in a row on the CPU."""
    own: dict[str, Tensor] = {}
    seen: set[tuple[object, ...]] = set()
    for name, tensor in module.state_dict().items():
        place = (tensor.device, tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        own[name] = tensor.detach().cpu().contiguous()
    return own


def _chunks(inputs: NDArray[np.generic], rows: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(rows), _CHUNK_ROWS):
        yield inputs[rows[start : start + _CHUNK_ROWS]].astype(np.float64)


def _value_range(inputs: NDArray[np.generic], rows: NDArray[np.int64]) -> tuple[float, float]:
    low = min(float(chunk.min()) for chunk in _chunks(inputs, rows))
    high = max(float(chunk.max()) for chunk in _chunks(inputs, rows))
    if inputs.dtype == np.uint8 and high > 127:
        return (0.0, 255.0)  # An ordinary picture, whether or not one of its pixels is quite white.
    return (min(low, 0.0), max(high, low + 1e-6))


def _floats(values_S: NDArray[np.float64]) -> tuple[float, ...]:
    """Round to float32, as the buffers hold them, so that text and buffers agree to the last bit."""
    return tuple(values_S.astype(np.float32).tolist())
