import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import Cost
from search_spaces.layer_costs import conv2d, linear, normalisation, output_size, squeeze_excitation, total


def counted(module: nn.Module, *input_shape: int) -> Cost:
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, *input_shape))
    params = sum(parameter.numel() for parameter in module.parameters())
    return Cost(params=params, macs=counter.get_total_flops() // 2)


def test_costs_by_hand() -> None:
    # 16 kernels of 3 x 3 over 8 channels, at 25 places; a bias each.
    assert conv2d(8, 16, kernel=3, out_pixels=25, bias=True) == Cost(params=16 * 8 * 9 + 16, macs=16 * 8 * 9 * 25)
    assert conv2d(8, 8, kernel=5, out_pixels=4, groups=8) == Cost(params=200, macs=800)
    assert linear(10, 3) == Cost(params=33, macs=30)
    assert linear(10, 3, bias=False) == Cost(params=30, macs=30)
    assert normalisation(7) == Cost(params=14, macs=0)
    assert squeeze_excitation(8, 2) == Cost(params=16 + 2 + 16 + 8, macs=32)
    assert total() == Cost(params=0, macs=0)
    assert total(linear(10, 3), normalisation(3), linear(3, 1)) == Cost(params=33 + 6 + 4, macs=33)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("bias", [False, True])
def test_convolution_costs_what_torch_counts(kernel: int, stride: int, groups: int, bias: bool) -> None:
    module = nn.Conv2d(6, 12, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)
    out_pixels = output_size(7, stride) * output_size(4, stride)
    cost = conv2d(6, 12, kernel=kernel, out_pixels=out_pixels, groups=groups, bias=bias)
    assert cost == counted(module, 6, 7, 4)


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_sizes_are_those_of_torch_and_never_vanish(size: int, stride: int) -> None:
    image = torch.zeros(1, 1, size, size)
    for layer in (nn.Conv2d(1, 1, 5, stride, padding=2), nn.MaxPool2d(3, stride, padding=1)):
        assert layer(image).shape[-1] == output_size(size, stride) >= 1
