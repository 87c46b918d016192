"""Classes drawn from a prediction: what is kept where classes are many and their mean must not be biased.

Shape letters: n = rows, C = classes, k = classes that are drawn.
"""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.cache.top_k import TORCH_DTYPES, Arrays, class_dtype
from teachers.digests import RawRows

NEVER = -1e4
"""Logit of what was not drawn: its probability is 0 in float32, and its product with 0 is a number."""


def encode_sampled(logits: Tensor, *, k: int, dtype: str, rows: RawRows) -> Arrays:
    """Draw k classes of each prediction with replacement, and keep how often each came (Anshumann et al., 2025).

    https://arxiv.org/abs/2503.16870

    The largest logits alone would teach a student that they are all there is; the shares of what was drawn are right on
    average, and so is the gradient of the forward divergence. Of the paper's proposals this is the one at temperature
    1, where every draw counts alike.

    Args:
        logits: (n, ..., C), C above k.
        k: At least 1.
        dtype: ``float16`` or ``float32``.
        rows: Raw inputs of these rows; chance is seeded by each, so that a row is answered alike in any chunk.

    Returns:
        As ``encode_top`` gives: ``values`` are logarithms of shares, ``NEVER`` where k classes were not drawn apart,
        as ``tail`` is.
    """
    width = logits.shape[-1]
    assert 1 <= k < width, f"{k} of {width} classes leave none out"
    cumulated = logits.double().softmax(dim=-1).cumsum(dim=-1)
    cumulated = cumulated / cumulated[..., -1:]
    uniform = np.stack([_generator(row).random((*logits.shape[1:-1], k)) for row in rows])
    drawn = torch.searchsorted(cumulated, torch.from_numpy(uniform), right=True).clamp(max=width - 1)
    counts = torch.zeros(logits.shape).scatter_add_(-1, drawn, torch.ones(drawn.shape))
    most, classes = counts.topk(k, dim=-1)  # Of all that were drawn, none is left out.
    kept = TORCH_DTYPES[dtype]
    return {
        "values": torch.where(most > 0, (most / k).log(), NEVER).to(kept).numpy(),
        "classes": classes.numpy().astype(class_dtype(width)),
        "tail": torch.full(logits.shape[:-1], NEVER, dtype=kept).numpy(),
    }


def _generator(row: str | NDArray[np.generic]) -> np.random.Generator:
    content = row.encode("utf-8", "surrogatepass") if isinstance(row, str) else np.ascontiguousarray(row).tobytes()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8], "big"))
