"""The blocks of a convolutional student, each with its cost beside it.

Shape letters: B = batch, C = channels, H, W = pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from search_spaces.layer_costs import conv2d, normalisation, output_size, squeeze_excitation, total
from search_spaces.layers import ACTIVATIONS
from search_spaces.space import Cost


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockPlan:
    """All that a block must know.

    Args:
        in_channels: C before.
        out_channels: C after.
        kernel: Odd; pixels along one side, padded with kernel // 2 zeros.
        stride: 1 or more.
        activation: A name in ``ACTIVATIONS``.
        height: H before.
        width: W before.
        expansion: How many times more channels an inverted residual has inside.
        se_ratio: Share of those channels that its squeeze-excitation keeps; 0 for none.
    """

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    activation: str
    height: int
    width: int
    expansion: int = 1
    se_ratio: float = 0.0

    @property
    def keeps_shape(self) -> bool:
        """Whether the output has the input's shape, so that the input can be added to it."""
        return self.in_channels == self.out_channels and self.stride == 1

    @property
    def in_pixels(self) -> int:
        """Pixels of the input."""
        return self.height * self.width

    @property
    def out_size(self) -> tuple[int, int]:
        """H and W after."""
        return output_size(self.height, self.stride), output_size(self.width, self.stride)

    @property
    def out_pixels(self) -> int:
        """Pixels of the output."""
        height, width = self.out_size
        return height * width

    @property
    def expanded_channels(self) -> int:
        """Channels inside an inverted residual."""
        return self.in_channels * self.expansion

    @property
    def squeezed_channels(self) -> int:
        """Channels in the middle of its squeeze-excitation; 0 where it has none."""
        return max(1, int(self.expanded_channels * self.se_ratio)) if self.se_ratio else 0


def convolution(in_channels: int, out_channels: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution and its batch normalisation; an export folds the two into one."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def convolution_cost(in_channels: int, out_channels: int, *, kernel: int, out_pixels: int, groups: int = 1) -> Cost:
    """Give the cost of what ``convolution`` makes."""
    weights = conv2d(in_channels, out_channels, kernel=kernel, out_pixels=out_pixels, groups=groups)
    return total(weights, normalisation(out_channels))


def average_of_pixels(size: tuple[int, int]) -> nn.AvgPool2d:
    """Make an average over a whole image, (B, C, H, W) → (B, C, 1, 1).

    Of a known size, it is a pooling that ONNX Runtime computes in int8; an adaptive one becomes a mean in float.

    Args:
        size: H and W.
    """
    return nn.AvgPool2d(size)


class PlainBlock(nn.Module):
    """One full convolution (as in VGG), with the input added where shapes agree, then activated."""

    def __init__(self, plan: BlockPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.keeps_shape = plan.keeps_shape
        self.convolution = convolution(plan.in_channels, plan.out_channels, kernel=plan.kernel, stride=plan.stride)
        self.activation = ACTIVATIONS[plan.activation]()

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Apply the block."""
        output_BCHW: Tensor = self.convolution(input_BCHW)
        if self.keeps_shape:
            output_BCHW = output_BCHW + input_BCHW
        activated_BCHW: Tensor = self.activation(output_BCHW)
        return activated_BCHW


def plain_cost(plan: BlockPlan) -> Cost:
    """Give the cost of a ``PlainBlock``."""
    return convolution_cost(plan.in_channels, plan.out_channels, kernel=plan.kernel, out_pixels=plan.out_pixels)


class SeparableBlock(nn.Module):
    """A convolution within each channel, then one across them (Howard et al., 2017, https://arxiv.org/abs/1704.04861).

    The input is added where shapes agree, before the last activation; the paper has no such shortcut.
    """

    def __init__(self, plan: BlockPlan) -> None:
        """Make the layers."""
        super().__init__()
        inside = plan.in_channels
        self.keeps_shape = plan.keeps_shape
        self.depthwise = convolution(inside, inside, kernel=plan.kernel, stride=plan.stride, groups=inside)
        self.inner_activation = ACTIVATIONS[plan.activation]()
        self.pointwise = convolution(inside, plan.out_channels, kernel=1)
        self.activation = ACTIVATIONS[plan.activation]()

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Apply the block."""
        output_BCHW: Tensor = self.pointwise(self.inner_activation(self.depthwise(input_BCHW)))
        if self.keeps_shape:
            output_BCHW = output_BCHW + input_BCHW
        activated_BCHW: Tensor = self.activation(output_BCHW)
        return activated_BCHW


def separable_cost(plan: BlockPlan) -> Cost:
    """Give the cost of a ``SeparableBlock``."""
    inside, pixels = plan.in_channels, plan.out_pixels
    return total(
        convolution_cost(inside, inside, kernel=plan.kernel, out_pixels=pixels, groups=inside),
        convolution_cost(inside, plan.out_channels, kernel=1, out_pixels=pixels),
    )


class InvertedBlock(nn.Module):
    """Expand, convolve within channels, gate them, project (Sandler et al., 2018, https://arxiv.org/abs/1801.04381).

    The gate stands before the projection, as in Howard et al. (2019, https://arxiv.org/abs/1905.02244), but is a plain
    sigmoid: ONNX Runtime computes that in int8, a hard sigmoid in float.
    """

    def __init__(self, plan: BlockPlan) -> None:
        """Make the layers."""
        super().__init__()
        inside = plan.expanded_channels
        self.keeps_shape = plan.keeps_shape
        self.expand = convolution(plan.in_channels, inside, kernel=1)
        self.expand_activation = ACTIVATIONS[plan.activation]()
        self.depthwise = convolution(inside, inside, kernel=plan.kernel, stride=plan.stride, groups=inside)
        self.depthwise_activation = ACTIVATIONS[plan.activation]()
        self.gate = SqueezeExcitation(plan) if plan.squeezed_channels else nn.Identity()
        self.project = convolution(inside, plan.out_channels, kernel=1)

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Apply the block."""
        inside_BCHW = self.expand_activation(self.expand(input_BCHW))
        inside_BCHW = self.depthwise_activation(self.depthwise(inside_BCHW))
        output_BCHW: Tensor = self.project(self.gate(inside_BCHW))
        return output_BCHW + input_BCHW if self.keeps_shape else output_BCHW


def inverted_cost(plan: BlockPlan) -> Cost:
    """Give the cost of an ``InvertedBlock``."""
    inside, pixels = plan.expanded_channels, plan.out_pixels
    parts = [
        convolution_cost(plan.in_channels, inside, kernel=1, out_pixels=plan.in_pixels),
        convolution_cost(inside, inside, kernel=plan.kernel, out_pixels=pixels, groups=inside),
        convolution_cost(inside, plan.out_channels, kernel=1, out_pixels=pixels),
    ]
    if plan.squeezed_channels:
        parts.append(squeeze_excitation(inside, plan.squeezed_channels))
    return total(*parts)


class SqueezeExcitation(nn.Module):
    """A factor in [0, 1] a channel, from what all channels are on average (Hu et al., 2018, arXiv 1709.01507)."""

    def __init__(self, plan: BlockPlan) -> None:
        """Make the layers."""
        super().__init__()
        channels, squeezed = plan.expanded_channels, plan.squeezed_channels
        self.pool = average_of_pixels(plan.out_size)
        # Convolutions over one pixel are the linear layers that they stand for, and need no reshaping.
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.ReLU()
        self.excite = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Scale the channels."""
        squeezed = self.activation(self.squeeze(self.pool(input_BCHW)))
        scaled_BCHW: Tensor = input_BCHW * self.gate(self.excite(squeezed))
        return scaled_BCHW


@dataclass(frozen=True, kw_only=True)
class BlockKind:
    """A kind of block: how it is built, and what it costs."""

    build: Callable[[BlockPlan], nn.Module]
    cost: Callable[[BlockPlan], Cost]


BLOCKS: dict[str, BlockKind] = {
    "plain": BlockKind(build=PlainBlock, cost=plain_cost),
    "separable": BlockKind(build=SeparableBlock, cost=separable_cost),
    "inverted": BlockKind(build=InvertedBlock, cost=inverted_cost),
}
"""Kinds of blocks by name."""
