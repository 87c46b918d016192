"""IDX, the files of MNIST and its relatives.

The format: two zero bytes, the type of an element, the number of dimensions, each size in four bytes, then the
elements; all big-endian (http://yann.lecun.com/exdb/mnist/).

Shape letters: N = rows, H = height, W = width.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trials.data.labelling import encode_labels
from trials.data.raw import RawData, consecutive_splits, existing_file, existing_folder

_ELEMENTS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PIECE_BYTES = 2**20
_SPLIT_OF_PREFIX = {"train": "train", "t10k": "test"}


def read_idx(*, path: str | Path, class_names: Sequence[str] | None = None) -> RawData:
    """Read ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and, where they are, the two of ``t10k``.

    Each may be gzipped (``.gz``), and may have a dot before ``idx`` instead of a dash.

    Args:
        path: The folder.
        class_names: Names of the labels in their order; without it, the labels themselves.

    Returns:
        Inputs (N, 1, H, W), uint8, with the splits ``train`` and ``test``.

    Raises:
        ValueError: A file is missing, damaged, or does not fit the others; the message names it.
    """
    folder = existing_folder(path)
    images: dict[str, NDArray[np.uint8]] = {}
    labels: list[int] = []
    for prefix, split in _SPLIT_OF_PREFIX.items():
        image_file, label_file = (_find(folder, f"{prefix}-{kind}") for kind in ("images-idx3", "labels-idx1"))
        if split != "train" and image_file is None and label_file is None:
            continue
        if image_file is None or label_file is None:
            lacking = f"{prefix}-images-idx3-ubyte" if image_file is None else f"{prefix}-labels-idx1-ubyte"
            there = sorted(file.name for file in folder.iterdir())[:20]
            raise ValueError(f"{folder} has no {lacking} or {lacking}.gz; it has {', '.join(there)}")
        images[split] = _bytes_of(image_file, num_dimensions=3)
        found = _bytes_of(label_file, num_dimensions=1)
        if len(found) != len(images[split]):
            raise ValueError(f"{image_file} has {len(images[split])} images, but {label_file} has {len(found)} labels")
        labels += found.tolist()
    shapes = {split: array.shape[1:] for split, array in images.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"{folder} has images of different sizes: {shapes}")
    encoded, names = encode_labels(labels, class_names)
    return RawData(
        inputs=np.concatenate(list(images.values()))[:, None],
        labels=encoded,
        class_names=names,
        given_splits=consecutive_splits({split: len(array) for split, array in images.items()}),
    )


def read_idx_file(path: str | Path) -> NDArray[np.generic]:
    """Read one IDX file, plain or gzipped (its first bytes tell).

    Args:
        path: The file.

    Returns:
        Its elements, in its shape and the machine's byte order.

    Raises:
        ValueError: The file is damaged; the message says where.
    """
    file = existing_file(path)
    try:
        with file.open("rb") as stream:
            gzipped = stream.read(2) == b"\x1f\x8b"
        with gzip.open(file) if gzipped else file.open("rb") as stream:
            return _parse(stream.read)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise ValueError(f"cannot read {file} as IDX: {error}") from error


def _parse(read: Callable[[int], bytes]) -> NDArray[np.generic]:
    magic = read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _ELEMENTS or magic[3] < 1:
        raise ValueError(
            f"expected two zero bytes, a type of {[hex(code) for code in _ELEMENTS]} and a rank, got {magic.hex(' ')}"
        )
    element = np.dtype(_ELEMENTS[magic[2]])
    header = read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise ValueError(f"it ends within the sizes of its {magic[3]} dimensions")
    shape = struct.unpack(f">{magic[3]}I", header)
    expected = math.prod(shape) * element.itemsize
    content = bytearray()
    # Piece by piece, since damaged sizes may ask for more memory than there is; a byte too many shows a file that
    # goes on.
    while piece := read(min(_PIECE_BYTES, expected + 1 - len(content))):
        content += piece
    if len(content) != expected:
        came = "more" if len(content) > expected else str(len(content))
        raise ValueError(f"its sizes {shape} need {expected} bytes, but {came} follow")
    array = np.frombuffer(content, dtype=element).reshape(shape)
    return array.astype(element.newbyteorder("="), copy=False)


def _find(folder: Path, stem: str) -> Path | None:
    for name in (f"{stem}-ubyte", f"{stem.replace('-idx', '.idx')}-ubyte"):
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _bytes_of(file: Path, *, num_dimensions: int) -> NDArray[np.uint8]:
    array = read_idx_file(file)
    if array.dtype != np.uint8 or array.ndim != num_dimensions:
        raise ValueError(
            f"{file} must hold bytes in {num_dimensions} dimensions, got {array.dtype} of shape {array.shape}"
        )
    return array.astype(np.uint8, copy=False)
