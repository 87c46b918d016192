"""Read inputs for an exported student from files; never imports torch.

Shape letters: B = batch, H, W = height and width, C = channels, D = values of a row.
"""

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from automl.predicting.raw_rows import FILL_IN, read_rows
from trials.image_files import IMAGE_MODES, IMAGE_SUFFIXES, pixels

READABLE = (".csv", ".npy", ".npz", *IMAGE_SUFFIXES)


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a student takes in.

    Args:
        name: Of the input of its graph.
        kind: ``image``, ``vector``, ``tokens`` or ``array``.
        shape: Of one input: (C, H, W) of an image, (D,) of a vector; None where a size is free.
        dtype: numpy's name of the element type.
        value_range: Raw values of an image file's black and white.
        feature_names: Of the values of a vector, in their order; None where they are not known.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    dtype: str
    value_range: tuple[float, float]
    feature_names: tuple[str, ...] | None = None


def read_inputs(path: Path, spec: InputSpec) -> tuple[list[str], NDArray[np.generic]]:
    """Read what a file or a folder of images holds.

    Args:
        path: A file with one of the suffixes in ``READABLE``, or a folder.
        spec: What the student takes in.

    Returns:
        Name of each input, and the inputs (B, *shape) in the student's element type.

    Raises:
        ValueError: The path is missing, cannot be read, or does not fit the student.
    """
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith("."))
        if not files:
            raise ValueError(f"{path} holds no images; their names must end in one of {', '.join(IMAGE_SUFFIXES)}")
        return [file.name for file in files], _read_images(files, spec)
    if not path.is_file():
        raise ValueError(f"{path} does not exist; give a file or a folder of images")
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise ValueError(f"{path} cannot be read; its name must end in one of {', '.join(READABLE)}")
    if suffix in IMAGE_SUFFIXES:
        inputs = _read_image(path, spec)
    elif suffix == ".csv":
        inputs = _read_rows(path, spec)
    else:
        inputs = _fit(_read_array(path, spec), spec, path)
    if not len(inputs):
        raise ValueError(f"{path} holds no inputs")
    return [path.name] if len(inputs) == 1 else [f"{path.name}#{row}" for row in range(len(inputs))], inputs


def far_outside(inputs: NDArray[np.generic], sources: Sequence[str], spec: InputSpec) -> str:
    """Say which inputs hold values further outside those of training than these lie apart; empty where none does.

    Args:
        inputs: (B, *shape).
        sources: Name of each.
        spec: Its range of values is that of training.
    """
    low, high = spec.value_range
    flat_BD = inputs.reshape(len(inputs), -1).astype(np.float64)
    beyond_B = np.maximum(low - flat_BD.min(axis=1), flat_BD.max(axis=1) - high)
    rows = np.flatnonzero(beyond_B > high - low)
    if not len(rows):
        return ""
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return (
        f"{sources[rows[0]]}{more}: values far outside {low:g} to {high:g}, the range of training; what the student "
        "says of them means little. Give raw values, as it was trained on"
    )


def _read_images(files: Sequence[Path], spec: InputSpec) -> NDArray[np.generic]:
    """Read the images of a folder; all that cannot be read are named at once."""
    images, mistakes = [], []
    for file in files:
        try:
            images.append(_read_image(file, spec))
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return np.concatenate(images)


def _read_image(path: Path, spec: InputSpec) -> NDArray[np.generic]:
    """Give one image as a batch (1, C, H, W), decoded as for training, its values laid over the student's range."""
    if spec.kind != "image" or spec.shape[0] not in IMAGE_MODES:
        raise ValueError(f"{path} is an image, but the student takes {_wanted(spec)}")
    channels, height, width = spec.shape
    assert channels is not None and height is not None and width is not None
    try:
        with Image.open(path) as opened:
            pixels_CHW = pixels(opened, image_size=(height, width), channels=channels)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow raises all of them
        raise ValueError(f"{path} cannot be read as an image: {error}") from error
    low, high = spec.value_range
    values_CHW = low + pixels_CHW.astype(np.float64) * (high - low) / 255
    return _cast(values_CHW[None], spec, path, round_off=True)


def _read_array(path: Path, spec: InputSpec) -> NDArray[np.generic]:
    try:
        with path.open("rb") as file:  # Opened here, since numpy leaves a torn archive open.
            loaded = np.load(file, allow_pickle=False)
            arrays = {name: loaded[name] for name in loaded.files} if isinstance(loaded, np.lib.npyio.NpzFile) else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as an array of numbers: {error}") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    known = [name for name in (spec.name, "inputs") if name in arrays] or (list(arrays) if len(arrays) == 1 else [])
    if not known:
        raise ValueError(f"{path} holds {', '.join(sorted(arrays))}; name the array {spec.name!r} or 'inputs'")
    return np.asarray(arrays[known[0]])


def _read_rows(path: Path, spec: InputSpec) -> NDArray[np.generic]:
    if None in spec.shape:
        raise ValueError(f"{path} is a table, but the student takes {_wanted(spec)}; give an .npy")
    sizes = [size for size in spec.shape if size is not None]
    rows_BD = read_rows(path, num_values=math.prod(sizes), feature_names=spec.feature_names)
    return _cast(rows_BD.reshape(len(rows_BD), *sizes), spec, path)


def _fit(array: NDArray[np.generic], spec: InputSpec, path: Path) -> NDArray[np.generic]:
    """Add the dimensions that a single input, or a grey image, may leave out."""
    candidates = [array, array[None]]
    if spec.kind == "image" and spec.shape[0] == 1 and array.ndim >= 2:
        candidates += [array[:, None], array[None, None]]
    for candidate in candidates:
        if candidate.ndim == len(spec.shape) + 1 and all(
            size in (None, found) for size, found in zip(spec.shape, candidate.shape[1:], strict=True)
        ):
            return _cast(candidate, spec, path)
    raise ValueError(f"{path} has shape {array.shape}, but the student takes {_wanted(spec)}, one or a batch")


def _cast(array: NDArray[np.generic], spec: InputSpec, path: Path, *, round_off: bool = False) -> NDArray[np.generic]:
    """Bring values to the student's element type, and refuse those that would change on the way."""
    dtype = np.dtype(spec.dtype)
    if array.dtype.kind not in "buif":
        raise ValueError(f"{path} holds {array.dtype}, expected numbers")
    _refuse_bad_numbers(array, path)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            cast = np.ascontiguousarray(array, dtype=dtype)
        _refuse_bad_numbers(cast, path)
        return cast
    limits = np.iinfo(dtype)
    whole = np.rint(array.astype(np.float64)) if round_off or array.dtype.kind == "f" else array
    if not round_off and not np.array_equal(whole, array):
        raise ValueError(f"{path} must hold whole numbers, as the student takes {_wanted(spec)}; got fractions")
    if whole.size and (whole.min() < limits.min or whole.max() > limits.max):
        raise ValueError(
            f"{path} must hold values from {limits.min} to {limits.max}, got {whole.min()} to {whole.max()}"
        )
    return np.ascontiguousarray(whole, dtype=dtype)


def _refuse_bad_numbers(array: NDArray[np.generic], path: Path) -> None:
    """Refuse what is no finite number: a student would answer with no more than the name of some class."""
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    rows = np.flatnonzero(bad.any(axis=tuple(range(1, bad.ndim))))
    if len(rows):
        others = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        raise ValueError(
            f"{path}, row {rows[0]}{others}: expected finite numbers of {array.dtype}, "
            f"got {_first_bad(array[rows[0]])}; {FILL_IN}"
        )


def _first_bad(values: NDArray[np.generic]) -> str:
    return str(values[~np.isfinite(values)].flat[0])


def _wanted(spec: InputSpec) -> str:
    shape = ", ".join("any" if size is None else str(size) for size in spec.shape)
    return f"{spec.kind} inputs of shape ({shape}) and type {spec.dtype}"
