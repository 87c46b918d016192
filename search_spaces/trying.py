"""Whether a model takes and gives what it should, before anything is trained."""

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces.signature import ModelSignature, TensorSpec

_BATCH = 2


def example_inputs(signature: ModelSignature, *, batch: int, varying: int = 1) -> list[Tensor]:
    """Make inputs of a model, all zero, on the device that is the default.

    Args:
        signature: Of the model.
        batch: Rows.
        varying: A size that the signature leaves open.
    """
    return [_zeros(tensor, batch, varying, signature) for tensor in signature.inputs]


def require_outputs(model: nn.Module, signature: ModelSignature) -> None:
    """Run a model once and look at what it returns.

    Args:
        model: As its space built it; left in the mode in which it came.
        signature: What it should take in and give out.

    Raises:
        ValueError: Its outputs are no tensors, or of another number or shape. What the model itself raises is not
            caught.
    """
    training = model.training
    with torch.no_grad():
        given = model.eval()(*example_inputs(signature, batch=_BATCH))
    model.train(training)
    outputs = given if isinstance(given, tuple) else (given,)
    expected = [_example_shape(tensor, _BATCH) for tensor in signature.outputs]
    if not all(isinstance(output, Tensor) for output in outputs):
        kinds = ", ".join(type(output).__name__ for output in outputs)
        raise ValueError(f"the model must return one tensor for each of {_names(signature)}, it returned {kinds}")
    if (found := [tuple(output.shape) for output in outputs]) != expected:
        raise ValueError(
            f"for a batch of {_BATCH} the model must return {_names(signature)} of shape {_listed(expected)}, "
            f"it returned {_listed(found)}"
        )


def _names(signature: ModelSignature) -> str:
    return ", ".join(tensor.name for tensor in signature.outputs)


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))


def _example_shape(tensor: TensorSpec, batch: int, varying: int = 1) -> tuple[int, ...]:
    return (batch, *(varying if size is None else size for size in tensor.shape))


def _zeros(tensor: TensorSpec, batch: int, varying: int, signature: ModelSignature) -> Tensor:
    # Token ids stay whole numbers; all else has been preprocessed to float when it reaches a student.
    tokens = signature.vocabulary_size is not None and np.issubdtype(np.dtype(tensor.dtype), np.integer)
    return torch.zeros(_example_shape(tensor, batch, varying), dtype=torch.int64 if tokens else torch.float32)
