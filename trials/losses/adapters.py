"""Adapters: learnt layers that give a student's features the shape of a teacher's.

Those of K teachers are one layer with K times the outputs, which gives what K layers would.

Shape letters: K = teachers, B = batch, N = rows, C = channels, H, W = size of a map, T = positions, D = width,
O = width of an output.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = {1: "vector (D)", 2: "sequence (T, D)", 3: "feature map (C, H, W)"}
"""Features by the number of their dimensions after the batch."""


def kind(shape: Sequence[int]) -> str:
    """Say in words what features of a shape are.

    Args:
        shape: Without the batch.
    """
    return f"{KINDS.get(len(shape), 'features of shape')} {tuple(shape)}"


class StackedLinear(nn.Module):
    """K linear layers as one; each starts as ``nn.Linear`` does."""

    def __init__(self, num_teachers: int, in_width: int, out_width: int, *, separate: bool = False) -> None:
        """Make the weights.

        Args:
            num_teachers: K.
            in_width: D.
            out_width: O.
            separate: Whether each layer has an input of its own (K, N, D), or all have the same one (..., D).
        """
        super().__init__()
        self.separate = separate
        bound = 1 / math.sqrt(in_width)
        self.weight = nn.Parameter(torch.empty(num_teachers, out_width, in_width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_teachers, out_width).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layers; gives (K, ..., O)."""
        if self.separate:
            return torch.baddbmm(self.bias[:, None], inputs, self.weight.transpose(1, 2))
        outputs = functional.linear(inputs, self.weight.flatten(0, 1), self.bias.flatten())
        return outputs.reshape(*outputs.shape[:-1], *self.bias.shape).movedim(-2, 0)


class StackedNorm(nn.Module):
    """K batch normalisations of vectors as one."""

    def __init__(self, num_teachers: int, width: int) -> None:
        """Make the weights; ``width`` is D."""
        super().__init__()
        self.norm = nn.BatchNorm1d(num_teachers * width)

    def forward(self, inputs_KND: Tensor) -> Tensor:
        """Normalise over the rows of each."""
        flat: Tensor = self.norm(inputs_KND.transpose(0, 1).flatten(1))
        return flat.reshape(len(flat), len(inputs_KND), -1).transpose(0, 1)


class VectorAdapter(nn.Module):
    """To vectors: maps and sequences are averaged over their positions, then a linear layer."""

    def __init__(self, source: Sequence[int], target: Sequence[int], *, num_teachers: int) -> None:
        """Make the layer; shapes are without the batch."""
        super().__init__()
        self.linear = StackedLinear(num_teachers, source[0] if len(source) == 3 else source[-1], target[0])

    def forward(self, features: Tensor) -> Tensor:
        """Adapt (B, ...) to (K, B, D)."""
        adapted: Tensor = self.linear(pooled(features))
        return adapted


class SequenceAdapter(nn.Module):
    """To sequences: another length is averaged or interpolated, then a linear layer; a map is read row by row."""

    def __init__(self, source: Sequence[int], target: Sequence[int], *, num_teachers: int) -> None:
        """Make the layer; shapes are without the batch."""
        super().__init__()
        self.length = target[0]
        self.linear = StackedLinear(num_teachers, source[0] if len(source) == 3 else source[-1], target[1])

    def forward(self, features: Tensor) -> Tensor:
        """Adapt (B, ...) to (K, B, T, D)."""
        features_BCT = features.flatten(2) if features.ndim == 4 else features.transpose(1, 2)
        if features_BCT.shape[2] > self.length:
            features_BCT = functional.adaptive_avg_pool1d(features_BCT, self.length)
        elif features_BCT.shape[2] < self.length:
            features_BCT = functional.interpolate(features_BCT, size=self.length, mode="linear")
        adapted: Tensor = self.linear(features_BCT.transpose(1, 2))
        return adapted


class MapAdapter(nn.Module):
    """Between feature maps: a convolution, batch normalisation, ReLU (FitNets: Romero et al., 2015).

    https://arxiv.org/abs/1412.6550

    The convolution is 3x3 with stride 2 where the source is twice as high and wide, a transposed 4x4 with stride 2
    where the target is. Else the source is averaged to the target's size if it is larger, interpolated if not, before a
    1x1; published code refuses such sizes, or covers the difference with a large kernel.
    """

    def __init__(
        self,
        source: Sequence[int],
        target: Sequence[int],
        *,
        num_teachers: int,
        kernel: int = 1,
        bias: bool = True,
        strided: bool = True,
        separate: bool = False,
        rectified: bool = True,
    ) -> None:
        """Make the layers.

        Args:
            source: Shape (C, H, W).
            target: Shape (C, H, W).
            num_teachers: K.
            kernel: Height and width of the convolution where no stride is needed.
            bias: Whether this convolution has one.
            strided: Whether a convolution with a stride bridges a factor of two.
            separate: Whether each teacher's layer has a source of its own (K, B, ...), or all have the same (B, ...).
            rectified: Whether a ReLU comes last.
        """
        super().__init__()
        self.num_teachers, self.separate, self.rectified = num_teachers, separate, rectified
        self.size = (target[1], target[2])
        groups = num_teachers if separate else 1
        channels = (groups * source[0], num_teachers * target[0])
        size = tuple(source[1:])
        self.resizes = size != self.size
        self.conv: nn.Conv2d | nn.ConvTranspose2d
        if strided and size == tuple(2 * edge for edge in self.size):
            self.conv = nn.Conv2d(*channels, 3, stride=2, padding=1, groups=groups)
            self.resizes = False
        elif strided and self.size == tuple(2 * edge for edge in size):
            self.conv = nn.ConvTranspose2d(*channels, 4, stride=2, padding=1, groups=groups)
            self.resizes = False
            if not separate:
                _unscale(self.conv, num_teachers)
        else:
            self.conv = nn.Conv2d(*channels, kernel, padding=kernel // 2, groups=groups, bias=bias)
        self.norm = nn.BatchNorm2d(channels[1])

    def forward(self, features: Tensor) -> Tensor:
        """Adapt (B, C, H, W), or (K, B, C, H, W) where they are separate, to (K, B, C, H, W)."""
        if self.separate:
            features = features.transpose(0, 1).flatten(1, 2)
        if self.resizes:
            features = resized(features, self.size)
        adapted: Tensor = self.norm(self.conv(features))
        if self.rectified:
            adapted = adapted.relu()
        return adapted.reshape(len(adapted), self.num_teachers, -1, *self.size).transpose(0, 1)


def resized(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Average maps (..., H, W) to a size where they are at least as large, interpolate them where they are not."""
    if all(have >= want for have, want in zip(features.shape[-2:], size, strict=True)):
        return functional.adaptive_avg_pool2d(features, size)
    return functional.interpolate(features, size=size, mode="bilinear")


def pooled(features: Tensor) -> Tensor:
    """Average maps (B, C, H, W) and sequences (B, T, D) over their positions; vectors (B, D) stay as they are."""
    if features.ndim == 4:
        return features.mean(dim=(2, 3))
    return features.mean(dim=1) if features.ndim == 3 else features


def _unscale(conv: nn.ConvTranspose2d, num_teachers: int) -> None:
    """Undo that PyTorch counts the outputs of all K as what one sees, and so starts with smaller weights."""
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.mul_(math.sqrt(num_teachers))
