"""numpy's .npz: one file, or one a split."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL
from trials.data.labelling import encode_labels
from trials.data.raw import RawData, consecutive_splits, files_of_splits
from trials.data.settings import require_names


class _PickledError(ValueError):
    """An array of Python objects, told in our own words."""


Arrays = dict[str, NDArray[np.generic]]


def read_npz(
    *,
    path: str | Path | Mapping[str, str | Path],
    inputs: str = "inputs",
    labels: str = "labels",
    class_names: Sequence[str] | None = None,
    missing_label: int | str = MISSING_LABEL,
) -> RawData:
    """Read arrays that numpy saved; pickled objects in them are refused.

    Arrays beside inputs and labels become columns where they hold one value a row, and are left out where not.

    Args:
        path: A file, or files by split (``train``, ``validation``, ``test``; one or more of them).
        inputs: Name of the array of inputs: vectors (N, D), images (N, H, W) or (N, C, H, W), or strings (N,). Images
            of uint8 stay so, all other numbers become float32.
        labels: Name of the array of labels (N,), numbers or strings.
        class_names: Names of the classes; without it, the sorted labels.
        missing_label: What a row without a label holds; an empty string does too.

    Raises:
        ValueError: A file, an array or a shape is not as expected.
    """
    files = files_of_splits(path)
    parts = {split: _load(file, names=(inputs, labels)) for split, file in files.items()}
    sizes = {split: len(arrays[labels]) for split, arrays in parts.items()}
    for split, file in files.items():
        if parts[split][labels].ndim != 1 or len(parts[split][inputs]) != sizes[split]:
            shapes = {name: parts[split][name].shape for name in (inputs, labels)}
            raise ValueError(f"{file}: expected labels (N,) and as many inputs, got shapes {shapes}")
    arrays = _join(parts, files)
    values = [None if value == missing_label else value for value in arrays[labels].tolist()]
    encoded, names = encode_labels(values, class_names)
    return RawData(
        inputs=_as_inputs(arrays[inputs], inputs),
        labels=encoded,
        class_names=names,
        columns={
            name: array
            for name, array in arrays.items()
            if name not in (inputs, labels) and array.shape == encoded.shape and array.dtype.kind in "biufU"
        },
        given_splits={} if "" in sizes else consecutive_splits(sizes),
    )


def _load(file: Path, names: tuple[str, str]) -> Arrays:
    try:
        with file.open("rb") as stream:  # numpy leaves a torn archive open
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise OSError("it is a single array, expected an archive as np.savez writes it")
            found = {name: _array(file, archive, name) for name in archive.files}
    except _PickledError:
        raise
    except ValueError as error:  # numpy's own words advise to unpickle the file
        raise ValueError(f"cannot read {file}: it is no archive of plain arrays, as np.savez writes it") from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {file}: {error}") from error
    # An archive may hold files that are no arrays; numpy gives their bytes.
    arrays = {name: _plain(value) for name, value in found.items() if isinstance(value, np.ndarray)}
    require_names({"inputs": names[:1], "labels": names[1:]}, arrays, where=str(file), what="array")
    if scalar := [name for name in names if arrays[name].ndim == 0]:
        raise ValueError(f"{file}: {', '.join(scalar)} is a single value, expected one a row")
    return arrays


def _array(file: Path, archive: Any, name: str) -> NDArray[Any]:  # numpy's class is not generic
    try:
        array: NDArray[Any] = archive[name]
    except ValueError as error:
        if "object" not in str(error).lower():  # numpy has one class of error for all that is wrong
            raise
        raise _PickledError(
            f"cannot read {file}: array {name!r} holds Python objects, which are not unpickled; save it as plain "
            f"values, as with {name}.astype(str) for strings, or leave it out"
        ) from error
    return array


def _plain(array: NDArray[Any]) -> NDArray[np.generic]:
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def _join(parts: dict[str, Arrays], files: dict[str, Path]) -> Arrays:
    first = next(iter(parts))
    if len(parts) == 1:
        return parts[first]
    joined: Arrays = {}
    for name, array in parts[first].items():
        found = [part[name] for part in parts.values() if name in part]
        if len(found) < len(parts):
            lacking = [str(files[split]) for split, part in parts.items() if name not in part]
            raise ValueError(f"array {name!r} of {files[first]} is not in {lacking}; every split needs the same arrays")
        if any(part.shape[1:] != array.shape[1:] or part.ndim != array.ndim for part in found):
            raise ValueError(f"array {name!r} has rows of different shapes: {[part.shape for part in found]}")
        if array.ndim:
            joined[name] = np.concatenate(found)
    return joined


def _as_inputs(array: NDArray[np.generic], name: str) -> NDArray[np.generic] | list[str]:
    if array.dtype.kind == "U" and array.ndim == 1:
        return [str(text) for text in array]
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3, 4):
        raise ValueError(
            f"array {name!r} must be numbers of shape (N, D), (N, H, W) or (N, C, H, W), or strings (N,), "
            f"got {array.dtype} of shape {array.shape}"
        )
    if array.ndim == 4 and array.shape[1] > 4 >= array.shape[3]:
        raise ValueError(f"array {name!r} of shape {array.shape} has its channels last; transpose it to (N, C, H, W)")
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and RawData names its row
        return array.astype(np.float32)
