"""Image files as training and an exported student read them; never imports torch."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Files with other suffixes are passed over in folders of images."""

IMAGE_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's name of the colours, by number of channels."""


def pixels(image: "Image.Image", *, image_size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """Turn an image of Pillow's upright, into grey or colour, and to a size.

    Args:
        image: 8 bits a channel.
        image_size: Height and width to resize to, bilinear and smoothed where it shrinks.
        channels: 1 for grey, 3 for colour, 4 for colour with transparency.

    Returns:
        Pixels (channels, height, width).

    Raises:
        ValueError: It has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    if image.mode.startswith(("I", "F")):  # Pillow would cut their values off at 255 without a word
        raise ValueError(f"it has more than 8 bits a channel (mode {image.mode}); convert it to 8 first")
    # Cameras store a turned picture and a note of the turn.
    image = ImageOps.exif_transpose(image).convert(IMAGE_MODES[channels])
    height, width = image_size
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
