"""Bridges: layers that lead from the features of one model into the space of another's, in front of whose next stage.

Shape letters: K = teachers, B = batch, C = channels.
"""

import math

import torch
from torch import Tensor, nn

from trials.losses.adapters import MapAdapter, StackedLinear, StackedNorm

SLOPE = 0.1


class Bridge(nn.Module):
    """A convolution 3x3 (a linear layer between vectors), batch normalisation, and where it fits a leaky ReLU.

    As in the authors' code of FCFD (Liu et al., 2023, https://arxiv.org/abs/2304.11832): the ReLU follows where the
    target's features come from one, so that its next stage sees what it knows. Those have no negative value.
    """

    slope_K: Tensor

    def __init__(self, source: Tensor, target: Tensor, *, separate: bool) -> None:
        """Make the layers.

        Args:
            source: Example (K, B, C, H, W) or (K, B, C).
            target: Example of as many dimensions.
            separate: Whether each teacher's bridge has a source of its own, or all have the same one (B, ...).
        """
        super().__init__()
        num_teachers, channels = len(target), target.shape[2]
        self.layers: nn.Module
        if target.ndim == 5:
            adapter = MapAdapter(
                source.shape[2:],
                target.shape[2:],
                num_teachers=num_teachers,
                kernel=3,
                bias=False,
                separate=separate,
                rectified=False,
            )
            if isinstance(adapter.conv, nn.Conv2d):
                fan_out = channels * math.prod(adapter.conv.kernel_size)
                nn.init.normal_(adapter.conv.weight, std=math.sqrt(2 / fan_out))
            self.layers = adapter
        else:
            linear = StackedLinear(num_teachers, source.shape[2], channels, separate=separate)
            self.layers = nn.Sequential(linear, StackedNorm(num_teachers, channels))
        slope_K = torch.where(target.flatten(1).amin(dim=1) >= 0, SLOPE, 1.0)
        self.register_buffer("slope_K", slope_K)

    def forward(self, features: Tensor) -> Tensor:
        """Lead features over; gives (K, B, ...)."""
        led: Tensor = self.layers(features)
        slope = self.slope_K.reshape(-1, *(1,) * (led.ndim - 1))
        return torch.where(led > 0, led, led * slope)
