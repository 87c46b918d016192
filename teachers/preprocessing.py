"""What a teacher does to raw inputs before its model sees them.

Shape letters: B = batch, C = channels or features, H = height, W = width.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from teachers.digests import record_digest
from teachers.outputs import Inputs

INTERPOLATIONS = ("bicubic", "bilinear", "nearest")
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode "L" has it.


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From raw inputs to what a model takes in: scale, resize, channels, mean and deviation, flatten, in this order.

    Args:
        scale: Every value is multiplied by it first; 1/255 turns bytes into 0 to 1.
        resize: Height and width to bring images to.
        interpolation: One of ``INTERPOLATIONS``; shrinking smooths first, except for ``nearest``.
        channels: 1 makes grey images of colour ones, 3 repeats grey ones; None leaves them.
        mean: Subtracted from each channel, one value for all or one a channel; empty for none.
        std: Divides each channel, above 0; empty for none.
        flatten: Whether a sample becomes a vector.
    """

    scale: float = 1.0
    resize: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    channels: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    flatten: bool = False

    def __post_init__(self) -> None:
        """Reject what cannot be computed."""
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        if self.resize is not None and (len(self.resize) != 2 or min(self.resize) < 1):
            raise ValueError(f"resize must be a height and a width of at least 1, got {self.resize}")
        if self.channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1, 3 or nothing, got {self.channels}")
        if any(not value > 0 for value in self.std):
            raise ValueError(f"std must be above 0, got {self.std}")

    @property
    def digest(self) -> str:
        """Name it; equal settings have equal digests."""
        return record_digest(asdict(self))

    def __call__(self, inputs: Inputs) -> Inputs:
        """Preprocess a batch.

        Args:
            inputs: Raw images (B, C, H, W) or vectors (B, C) of any number type; texts pass untouched.

        Returns:
            A new float32 tensor that shares no memory with ``inputs``, or the texts.

        Raises:
            ValueError: The inputs do not have the shape that a step needs.
        """
        if isinstance(inputs, list):
            return inputs
        values = inputs.to(torch.float32, copy=True)
        if self.scale != 1.0:
            values = values * self.scale
        if (self.resize is not None or self.channels is not None) and values.ndim != 4:
            raise ValueError(f"resize and channels need images (B, C, H, W), got inputs of shape {tuple(values.shape)}")
        if self.resize is not None:
            values = self._resized(values, self.resize)
        if self.channels is not None:
            values = _with_channels(values, self.channels)
        if self.mean:
            values = values - _per_channel("mean", self.mean, values)
        if self.std:
            values = values / _per_channel("std", self.std, values)
        return values.flatten(1) if self.flatten else values

    def _resized(self, images_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
        if tuple(images_BCHW.shape[2:]) == tuple(size):
            return images_BCHW
        if self.interpolation == "nearest":
            return nn.functional.interpolate(images_BCHW, size, mode="nearest-exact")
        return nn.functional.interpolate(
            images_BCHW, size, mode=self.interpolation, antialias=True, align_corners=False
        )


def _with_channels(images_BCHW: Tensor, channels: int) -> Tensor:
    found = images_BCHW.shape[1]
    if found == channels:
        return images_BCHW
    if found == 1:
        return images_BCHW.repeat(1, channels, 1, 1)
    if found == 3:
        return (images_BCHW * torch.tensor(_LUMA).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    raise ValueError(f"images have {found} channels; only 1 and 3 can be turned into {channels}")


def _per_channel(name: str, numbers: tuple[float, ...], values: Tensor) -> Tensor:
    if len(numbers) not in (1, values.shape[1]):
        raise ValueError(
            f"{name} has {len(numbers)} values, the inputs have {values.shape[1]} channels; give 1 or as many"
        )
    return torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, *[1] * (values.ndim - 2))
