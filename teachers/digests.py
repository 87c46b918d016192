"""Names of contents: what caches are keyed by."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RawRows = NDArray[np.generic] | list[str]
"""Raw inputs of a whole data set, one row each: arrays (N, ...) or texts."""


def record_digest(record: object) -> str:
    """Name plain data (dicts, lists, numbers, strings) by its SHA-256; the order of keys does not matter."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Name parameters by their names, types, shapes and bits, whatever file they were read from."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)  # Only read; bfloat16 has no numpy type.
    return digest.hexdigest()


def files_digest(files: Mapping[str, bytes]) -> str:
    """Name files by their names and contents."""
    return record_digest({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


def rows_digest(rows: RawRows) -> str:
    """Name some raw rows by their type, shape and contents.

    Args:
        rows: Arrays (n, ...) of numbers or fixed-width strings, or n texts.
    """
    if isinstance(rows, list):
        return _texts_digest(rows)
    digest = hashlib.sha256(f"{rows.dtype.str} {rows.shape}\n".encode())
    digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _texts_digest(texts: Sequence[str]) -> str:
    digest = hashlib.sha256(f"texts {len(texts)}\n".encode())
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(f"{len(encoded)} ".encode())  # Lengths tell ["ab", "c"] from ["a", "bc"].
        digest.update(encoded)
    return digest.hexdigest()
