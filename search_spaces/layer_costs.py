"""Parameters and MACs of layers in closed form, as ``Cost`` defines them."""

from search_spaces.space import Cost


def total(*costs: Cost) -> Cost:
    """Add up the costs of the parts of a model."""
    return Cost(params=sum(cost.params for cost in costs), macs=sum(cost.macs for cost in costs))


def repeated(cost: Cost, times: int) -> Cost:
    """Cost of one layer that is applied so many times, as to each token: its parameters are there once."""
    return Cost(params=cost.params, macs=cost.macs * times)


def output_size(size: int, stride: int) -> int:
    """Give the pixels along one side after a convolution or pooling with odd kernel k and padding k // 2.

    Args:
        size: Pixels before, at least 1.
        stride: At least 1.

    Returns:
        ``size / stride`` rounded up, so never less than 1.
    """
    return (size - 1) // stride + 1


def conv2d(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    out_pixels: int,
    groups: int = 1,
    bias: bool = False,
) -> Cost:
    """Cost of a convolution with a square kernel.

    Args:
        in_channels: A multiple of ``groups``.
        out_channels: A multiple of ``groups``.
        kernel: Pixels along one side.
        out_pixels: Height times width of its output, which holds the stride.
        groups: As many as channels make it depthwise.
        bias: Adds parameters; its additions are no MACs.
    """
    weights = in_channels // groups * out_channels * kernel * kernel
    return Cost(params=weights + out_channels * bias, macs=weights * out_pixels)


def linear(in_features: int, out_features: int, *, bias: bool = True) -> Cost:
    """Cost of a linear layer applied once."""
    weights = in_features * out_features
    return Cost(params=weights + out_features * bias, macs=weights)


def normalisation(channels: int) -> Cost:
    """Cost of a batch or layer normalisation: a scale and a shift a channel; buffers are not trained."""
    return Cost(params=2 * channels, macs=0)


def squeeze_excitation(channels: int, squeezed: int) -> Cost:
    """Cost of a gate a channel: two linear layers with bias, on channels averaged over the image."""
    return total(linear(channels, squeezed), linear(squeezed, channels))
