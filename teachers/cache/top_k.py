"""The largest logits of a row, and one bucket for the rest: what is kept where classes are many.

Shape letters: C = classes, k = classes that are kept.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Arrays = dict[str, NDArray[np.generic]]

TORCH_DTYPES = {"float16": torch.float16, "float32": torch.float32}


def top_bytes(width: int, k: int, dtype: str) -> int:
    """Bytes that one row takes: k values, their classes, and the tail."""
    itemsize = np.dtype(dtype).itemsize
    return k * (itemsize + class_dtype(width).itemsize) + itemsize


def keeps_top(width: int, top_k: int | None, dtype: str) -> bool:
    """Tell whether a row of some classes is cut to its largest logits: only where that takes less room.

    Args:
        width: Classes of the row.
        top_k: How many are to be kept, at least 1; None keeps all.
        dtype: Of the values.
    """
    return top_k is not None and top_k < width and top_bytes(width, top_k, dtype) < width * np.dtype(dtype).itemsize


def encode_top(logits: Tensor, *, k: int, dtype: str) -> Arrays:
    """Cut rows to their k largest logits and the mass of all others.

    Args:
        logits: (..., C), C above k.
        k: At least 1.
        dtype: ``float16`` or ``float32``.

    Returns:
        ``values`` (..., k), ``classes`` (..., k), and ``tail`` (...): the logarithm of the summed exponentials of the
        other logits, so that it is a logit itself, of all other classes as one.
    """
    width = logits.shape[-1]
    assert 1 <= k < width, f"{k} of {width} classes leave no tail"
    logits = logits.float()
    classes = logits.topk(k, dim=-1).indices
    others = logits.scatter(-1, classes, -math.inf)
    kept = TORCH_DTYPES[dtype]
    return {
        "values": logits.gather(-1, classes).to(kept).numpy(),
        "classes": classes.numpy().astype(class_dtype(width)),
        "tail": others.logsumexp(dim=-1).to(kept).numpy(),
    }


def decode_top(
    values: NDArray[np.generic], classes: NDArray[np.generic], tail: NDArray[np.generic], *, known: NDArray[np.bool_]
) -> Tensor:
    """Make whole rows again; the mass of the tail is spread evenly over the classes that were not kept.

    At temperature 1 the probabilities of the kept classes are exact, and those of the others add up to what they were.
    Since a mean of powers is at most the power of a mean, the tail seems heavier than it was at higher temperatures,
    and lighter at lower ones; where a single class was cut off, all is exact.

    Args:
        values: (..., k).
        classes: (..., k), positions in C.
        tail: (...).
        known: Classes that the rows are about, broadcast to (..., C); at all others there is 0.

    Returns:
        Logits (..., C), float32.
    """
    num_others = known.sum(axis=-1) - values.shape[-1]
    share = torch.from_numpy(tail.astype(np.float32) - np.log(num_others).astype(np.float32))
    dense = torch.where(torch.from_numpy(known), share[..., None], 0.0)
    return dense.scatter_(-1, torch.from_numpy(classes.astype(np.int64)), torch.from_numpy(values.astype(np.float32)))


def class_dtype(width: int) -> np.dtype[np.generic]:
    """Give the smallest type that holds the numbers of so many classes."""
    return np.dtype(np.uint16 if width <= 2**16 else np.int32)
