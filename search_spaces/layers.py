"""Layers that several spaces build from, and how their weights start."""

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import TypeVar

from torch import nn

Item = TypeVar("Item")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "hardswish": nn.Hardswish,
    "silu": nn.SiLU,
}
"""Functions between layers."""


def known(catalog: Mapping[str, Item], names: Iterable[str], *, what: str) -> tuple[str, ...]:
    """Make sure that every name stands in a catalog.

    Raises:
        ValueError: One does not; the message lists those that do.
    """
    for name in (names := tuple(names)):
        if name not in catalog:
            raise ValueError(f"unknown {what} {name!r}; known are {', '.join(sorted(catalog))}")
    return names


def head(in_features: int, output_shape: tuple[int, ...]) -> nn.Module:
    """Make the last layer: features (B, in_features) to an output of the given shape after the batch."""
    last = nn.Linear(in_features, prod(output_shape))
    return last if len(output_shape) == 1 else nn.Sequential(last, nn.Unflatten(1, output_shape))


def initialise(model: nn.Module) -> None:
    """Give all weights their start, drawn from PyTorch's generator.

    Weights are normal with the variance that keeps activations behind a rectifier level (He et al., 2015,
    https://arxiv.org/abs/1502.01852, equation 10), counted by a unit's inputs, which suits depthwise kernels as well.
    Biases are 0, normalisations the identity.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
