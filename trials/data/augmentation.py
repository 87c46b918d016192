"""Augmented views of rows that anybody can make again, so that teachers can answer for them once.

A view of a row is a function of (seed, number of the row, number of the view) alone: a counter goes through a hash, and
no generator has a state. All arithmetic is of whole numbers and of single products and sums, so that a row has the same
bits whichever rows stand beside it.

Shape letters: B = batch, H = height, W = width, D = features of a vector.
"""

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_QUANTILE_BITS = 14


@dataclass(frozen=True, kw_only=True, eq=False)
class Augmentation:
    """How views of rows are made; fulfils ``teachers.Augment``.

    Args:
        kind: ``image`` flips and shifts images (B, channels, H, W), ``noise`` adds to vectors (B, D).
        views: Number of different views of a row, at least 1.
        seed: At least 0; another one gives other views.
        flip: Whether half of the images are turned left to right.
        shift: Pixels by which images are moved at most, up or down and left or right; 0 comes in from the border.
        noise: Deviation of the Gaussian noise, as a share of each feature's own.
        deviations: Of each feature (D,), over the training rows; for ``noise``.
    """

    kind: Literal["image", "noise"]
    views: int
    seed: int = 0
    flip: bool = False
    shift: int = 0
    noise: float = 0.0
    deviations: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def __post_init__(self) -> None:
        """Reject what makes no view, or none that differs from the row.

        Raises:
            ValueError: A number is out of range, or nothing would change.
        """
        if self.views < 1 or self.seed < 0 or self.shift < 0 or self.noise < 0:
            raise ValueError(
                "an augmentation needs views of at least 1, and seed, shift and noise of at least 0, got "
                f"{self.views}, {self.seed}, {self.shift} and {self.noise}"
            )
        if not (self.flip or self.shift if self.kind == "image" else self.noise):
            needed = "flip or shift" if self.kind == "image" else "noise"
            raise ValueError(f"the augmentation {self.kind!r} changes nothing; set {needed}, or leave it out")

    def view_in(self, epoch: int) -> int:
        """Say which view all rows have in an epoch, counted from 0; each epoch has the next one, over and over."""
        return 1 + epoch % self.views

    @property
    def digest(self) -> str:
        """Names all that a view depends on, but for the row and its number."""
        plain = [self.kind, self.seed, self.flip, self.shift, self.noise, self.deviations.tolist()]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()

    def check(self, inputs: NDArray[np.generic] | list[str]) -> None:
        """Make sure that rows can be augmented in this way.

        Raises:
            ValueError: They cannot.
        """
        if isinstance(inputs, list):
            raise ValueError("texts cannot be augmented; leave augmentation out")
        if self.kind == "image":
            if inputs.ndim != 4:
                raise ValueError(f"the augmentation 'image' is for images, got rows of shape {inputs.shape[1:]}")
            if self.shift >= min(inputs.shape[2:]):
                raise ValueError(f"shift must be below the size of an image, {inputs.shape[2:]}, got {self.shift}")
        elif inputs.ndim != 2 or not np.issubdtype(inputs.dtype, np.floating):
            raise ValueError(
                f"the augmentation 'noise' is for vectors of real numbers, got rows of shape {inputs.shape[1:]}, "
                f"{inputs.dtype}"
            )

    def __call__(self, inputs: NDArray[np.generic], *, rows: NDArray[np.int64], view: int) -> NDArray[np.generic]:
        """Augment some rows, in a copy."""
        assert 1 <= view <= self.views, f"view {view} of {self.views}"
        words_B = _mixed(_mixed(np.uint64(self.seed) ^ _STEP, np.uint64(view)), rows.astype(np.uint64))
        if self.kind == "image":
            return self._moved(inputs, words_B)
        columns_D = np.arange(inputs.shape[1], dtype=np.uint64)
        words_BD = _mixed(words_B[:, None], columns_D)
        normal_BD = _quantiles()[(words_BD >> np.uint64(64 - _QUANTILE_BITS)).astype(np.int64)]
        scale_D = (self.noise * self.deviations.astype(np.float64)).astype(np.float32)
        moved: NDArray[np.generic] = np.add(inputs, normal_BD * scale_D).astype(inputs.dtype)
        return moved

    def _moved(self, inputs: NDArray[np.generic], words_B: Words) -> NDArray[np.generic]:
        """Flip and shift images, one after the other: slices of an image cost less than an index into all pixels."""
        span = np.uint64(2 * self.shift + 1)
        down_B, right_B = (
            ((_mixed(words_B, np.uint64(which)) % span).astype(np.int64) - self.shift).tolist() for which in (0, 1)
        )
        flipped_B = (_mixed(words_B, np.uint64(2)) & np.uint64(1)).tolist()
        moved = np.zeros_like(inputs)
        for target, image, down, right, flipped in zip(moved, inputs, down_B, right_B, flipped_B, strict=True):
            source = image[..., ::-1] if self.flip and flipped else image
            (to_H, from_H), (to_W, from_W) = _overlap(down, image.shape[1]), _overlap(right, image.shape[2])
            target[:, to_H, to_W] = source[:, from_H, from_W]
        return moved


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Say what is written, and from where, as a line of pixels moves."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(state: Words | np.uint64, number: Words | np.uint64) -> Words:
    """Hash a state with a number: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable PRNGs").

    https://doi.org/10.1145/2660193.2660195
    """
    with np.errstate(over="ignore"):  # Whole numbers wrap around, as they shall.
        z = np.asarray(state + (number + np.uint64(1)) * _STEP, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


@lru_cache(maxsize=1)
def _quantiles() -> NDArray[np.float32]:
    """Normal quantiles of equal mass: looking one up has the same bits everywhere, which logarithms have not."""
    count = 2**_QUANTILE_BITS
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / count) for i in range(count)], dtype=np.float32)
