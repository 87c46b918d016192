"""Positions as rotations of queries and keys, so that their products depend on distances alone.

Shape letters: B = batch, H = heads, T = tokens, d = width of a head.
"""

import torch
from torch import Tensor, nn

_SLOWEST = 10_000.0
"""Base of the wavelengths, as in the paper, section 3.3."""

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines (T, d) of the angles of some positions."""


class Rotary(nn.Module):
    """Angles of positions (Su et al., 2021, https://arxiv.org/abs/2104.09864, equation 15).

    The pairs that turn together are a number of the first half of a head and one of the second, not neighbours as in
    the paper: a fixed reordering of what is learnt, and a cheaper one to compute.
    """

    frequencies: Tensor

    def __init__(self, head_size: int) -> None:
        """Work out the frequencies.

        Args:
            head_size: d, even.
        """
        super().__init__()
        frequencies = _SLOWEST ** (-torch.arange(0, head_size, 2, dtype=torch.float32) / head_size)
        self.register_buffer("frequencies", frequencies.repeat(2), persistent=False)  # They follow from d.

    def forward(self, position_T: Tensor) -> Rotation:
        """Give cosines and sines of the angles at positions."""
        angle_Td = position_T[:, None].to(self.frequencies.dtype) * self.frequencies
        return angle_Td.cos(), angle_Td.sin()


def rotate(part_BHTd: Tensor, rotation: Rotation) -> Tensor:
    """Turn queries or keys by the angles of their positions (equation 34)."""
    cos_Td, sin_Td = rotation
    first, second = part_BHTd.chunk(2, dim=-1)
    return part_BHTd * cos_Td + torch.cat([-second, first], dim=-1) * sin_Td
