"""Folders of images: one a class, or one a split that holds one a class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trials.data.dataset import SPLITS
from trials.data.labelling import encode_labels
from trials.data.raw import RawData, consecutive_splits, existing_folder
from trials.data.settings import require_names
from trials.image_files import IMAGE_SUFFIXES, pixels

_CHANNELS = (1, 3)


def read_image_folder(
    *,
    path: str | Path,
    image_size: tuple[int, int],
    channels: int,
    class_names: Sequence[str] | None = None,
    unlabelled: str | None = None,
) -> RawData:
    """Read ``path/CLASS/*.png`` or ``path/{train,validation,test}/CLASS/*.png``, in sorted order.

    Files of other suffixes and hidden ones are passed over.

    Args:
        path: The folder.
        image_size: Height and width that every image is resized to.
        channels: 1 for grey, 3 for colour.
        class_names: Names of the folders in the order of their numbers; without it, sorted.
        unlabelled: Name of the folder, beside those of the classes, whose images have no label.

    Returns:
        Inputs (N, channels, height, width), uint8.

    Raises:
        ValueError: A folder or a file is not as expected; the message names it.
    """
    check_image_format(image_size, channels)
    root = existing_folder(path)
    found = {split: _images(folder) for split, folder in _split_folders(root).items()}
    files = [file for images in found.values() for file in images]
    if not files:
        raise ValueError(f"{root} holds no images as CLASS/NAME.png; known suffixes are {', '.join(IMAGE_SUFFIXES)}")
    inputs = np.empty((len(files), channels, *image_size), dtype=np.uint8)
    for row, file in enumerate(files):
        inputs[row] = decode_image(file, image_size=image_size, channels=channels)
    folders = [file.parent.name for file in files]
    if unlabelled is not None:
        require_names({"unlabelled": [unlabelled]}, set(folders), where=str(root), what="folder")
    labels, names = encode_labels([None if name == unlabelled else name for name in folders], class_names)
    return RawData(
        inputs=inputs,
        labels=labels,
        class_names=names,
        given_splits={} if "" in found else consecutive_splits({split: len(images) for split, images in found.items()}),
    )


def check_image_format(image_size: tuple[int, int], channels: int) -> None:
    """Reject sizes and channels that no image can have.

    Raises:
        ValueError: ``image_size`` is not two whole numbers above 0, or ``channels`` neither 1 nor 3.
    """
    if len(image_size) != 2 or not all(isinstance(size, int) and size >= 1 for size in image_size):
        raise ValueError(f"image_size must be height and width, at least 1 each, got {image_size}")
    if channels not in _CHANNELS:
        raise ValueError(f"channels must be 1 (grey) or 3 (colour), got {channels}")


def decode_image(file: Path, *, image_size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """Read an image file.

    Args:
        file: In any format that Pillow reads, 8 bits a channel.
        image_size: Height and width to resize to.
        channels: 1 for grey, 3 for colour.

    Returns:
        Pixels (channels, height, width).

    Raises:
        ValueError: The file cannot be read; the message names it.
    """
    from PIL import Image

    try:
        with Image.open(file) as image:
            return pixels(image, image_size=image_size, channels=channels)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow raises all of them
        raise ValueError(f"cannot read the image {file}: {error}; repair or remove it") from error


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(root: Path) -> dict[str, Path]:
    """Tell the two layouts apart; a class may be called ``train`` (vehicles), it then holds images and no folders."""
    splits = {entry.name: entry for entry in _subfolders(root) if entry.name in SPLITS and _subfolders(entry)}
    if not splits:
        return {"": root}
    if others := [entry.name for entry in _subfolders(root) if entry.name not in splits]:
        raise ValueError(
            f"{root} holds folders of splits ({', '.join(sorted(splits))}) and others ({', '.join(others)}); rename to "
            f"one of {', '.join(SPLITS)}"
        )
    return {name: splits[name] for name in SPLITS if name in splits}


def _images(folder: Path) -> list[Path]:
    files = []
    for class_folder in _subfolders(folder):
        images = sorted(
            f for f in class_folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")
        )
        if not images:
            raise ValueError(f"folder {class_folder} holds no images; known suffixes are {', '.join(IMAGE_SUFFIXES)}")
        files += images
    return files
