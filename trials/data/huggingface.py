"""Hugging Face data sets that were saved to disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trials.data.dataset import SPLITS
from trials.data.image_folder import check_image_format
from trials.data.labelling import encode_labels, no_labels
from trials.data.raw import RawData, consecutive_splits, existing_folder
from trials.data.settings import require_names
from trials.image_files import pixels

_CHUNK_ROWS = 1000
"""Decoded at a time, so that never all images are held twice."""


def read_huggingface(
    *,
    path: str | Path,
    label: str | None = None,
    image: str | None = None,
    text: str | None = None,
    features: str | Sequence[str] | None = None,
    columns: Sequence[str] = (),
    splits: Mapping[str, str] | None = None,
    class_names: Sequence[str] | None = None,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> RawData:
    """Read what ``save_to_disk`` of a ``Dataset`` or a ``DatasetDict`` wrote.

    Args:
        path: The folder.
        label: Column of labels: a ``ClassLabel`` (-1 is none), numbers or strings (None is none). Without it no
            row has one.
        image: Column of images; one of ``image``, ``text`` and ``features`` must be given.
        text: Column of texts.
        features: Columns of numbers, or of lists of numbers of one length, that make the vector in this order.
        columns: Columns to keep, by which teachers can be routed.
        splits: Names of the splits within a ``DatasetDict``, by ``train``, ``validation`` and ``test``; without it,
            those of these names.
        class_names: Names of the classes; without it, those of the ``ClassLabel``, else the sorted labels.
        image_size: Height and width that images are resized to; images only.
        channels: 1 for grey, 3 for colour; images only.

    Returns:
        Inputs (N, channels, height, width) uint8, (N, D) float32, or texts.

    Raises:
        ValueError: The folder, a split, a column or a value is not as expected.
    """
    if sum(source is not None for source in (image, text, features)) != 1:
        raise ValueError("give exactly one of image, text and features")
    parts = _load(existing_folder(path), splits)
    feature_columns = [features] if isinstance(features, str) else list(features or ())
    needed: dict[str, Sequence[str | None]] = {
        "label": [label],
        "image": [image],
        "text": [text],
        "features": feature_columns,
        "columns": columns,
    }
    for split, part in parts.items():
        where = f"split {split!r} of {path}" if split else f"{path}"
        require_names(needed, part.column_names, where=where, what="column")
    if label is None:
        labels, names = no_labels(sum(map(len, parts.values())))
    else:
        labels, names = _labels(list(parts.values()), label, class_names)
    inputs: NDArray[np.generic] | list[str]
    if image is not None:
        inputs = _images(list(parts.values()), image, image_size, channels)
    elif text is not None:
        inputs = ["" if value is None else str(value) for value in _values(parts, text)]
    else:
        inputs = np.concatenate([_numbers(_values(parts, name), name) for name in feature_columns], axis=1)
    return RawData(
        inputs=inputs,
        labels=labels,
        class_names=names,
        feature_names=None if text is None else (text,),
        columns={name: _routing_column(_values(parts, name)) for name in columns},
        given_splits={} if "" in parts else consecutive_splits({split: len(part) for split, part in parts.items()}),
    )


def _load(folder: Path, splits: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        import datasets
    except ImportError as error:
        raise ValueError("Hugging Face data sets need `pip install automl-distill[huggingface]`") from error
    try:
        loaded = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} is no data set that save_to_disk wrote: {error}") from error
    if not isinstance(loaded, datasets.DatasetDict):
        if splits:
            raise ValueError(f"{folder} is one Dataset without splits; leave out splits, got {dict(splits)}")
        return {"": loaded}
    chosen = {name: name for name in SPLITS if name in loaded} if splits is None else splits
    if not chosen or not set(chosen) <= set(SPLITS) or not set(chosen.values()) <= set(loaded):
        raise ValueError(
            f"splits must map some of {', '.join(SPLITS)} to some of {', '.join(sorted(loaded))}, got {dict(chosen)}"
        )
    return {name: loaded[chosen[name]] for name in SPLITS if name in chosen}


def _labels(
    parts: list[Any], label: str, class_names: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    values: list[object] = []
    for part in parts:
        feature = part.features[label]
        known = getattr(feature, "names", None)
        # By name, since two splits may number their classes differently.
        values += (
            part[label][:]
            if known is None
            else [known[v] if v is not None and v >= 0 else None for v in part[label][:]]
        )
        class_names = class_names or known
    return encode_labels(values, class_names)


def _images(
    parts: list[Any], image: str, image_size: tuple[int, int] | None, channels: int | None
) -> NDArray[np.uint8]:
    if image_size is None or channels is None:
        raise ValueError("images need image_size (height and width) and channels (1 or 3)")
    check_image_format(image_size, channels)
    inputs = np.empty((sum(len(part) for part in parts), channels, *image_size), dtype=np.uint8)
    row = 0
    for part in parts:
        for start in range(0, len(part), _CHUNK_ROWS):
            for picture in part[start : start + _CHUNK_ROWS][image]:
                inputs[row] = _pixels(picture, row, image, image_size, channels)
                row += 1
    return inputs


def _pixels(picture: object, row: int, name: str, image_size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    from PIL import Image

    if not isinstance(picture, Image.Image):
        raise ValueError(
            f"column {name!r} must hold images (the feature datasets.Image), got {type(picture).__name__} in row {row}"
        )
    try:
        return pixels(picture, image_size=image_size, channels=channels)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot read the image in row {row}: {error}") from error


def _values(parts: Mapping[str, Any], name: str) -> list[Any]:
    return [value for part in parts.values() for value in part[name][:]]


def _numbers(values: list[Any], name: str) -> NDArray[np.float32]:
    try:
        array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name!r} must hold numbers, or lists of numbers of one length: {error}") from error
    if array.ndim > 2:
        raise ValueError(f"column {name!r} must hold numbers or flat lists, got shape {array.shape}")
    return array.reshape(len(values), -1)


def _routing_column(values: list[Any]) -> NDArray[np.generic]:
    if all(type(value) is int for value in values):
        return np.array(values, dtype=np.int64)
    return np.array(["" if value is None else str(value) for value in values])
