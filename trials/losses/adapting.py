"""Which adapter leads from a student's features to a teacher's, where they differ in kind and where they do not.

Shape letters: K = teachers, B = batch, C = channels, H, W = size of a map, T = positions, D = width.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trials.losses.adapters import KINDS, MapAdapter, SequenceAdapter, StackedLinear, VectorAdapter, kind
from trials.losses.layers import LayerPair
from trials.losses.loss import Pairing

_SMALLEST_GRID = 2
"""Edge of a grid behind a class token: of two tokens the first is hardly one."""


class SpreadAdapter(nn.Module):
    """From vectors to sequences and maps: a linear layer, the same at each position, plus an embedding of the position.

    A linear layer to all positions would have H · W times the weights, and could make a map up by itself, so that the
    student need learn little. Here the vector answers for what positions have in common, the embedding for how they
    differ in all samples alike, and the rest stays in the loss.
    """

    def __init__(self, source: Sequence[int], target: Sequence[int], *, num_teachers: int) -> None:
        """Make the layer, and an embedding of zeros; shapes are without the batch."""
        super().__init__()
        self.is_map = len(target) == 3
        self.linear = StackedLinear(num_teachers, source[0], target[0] if self.is_map else target[1])
        self.place = nn.Parameter(torch.zeros(num_teachers, 1, *target))

    def forward(self, features: Tensor) -> Tensor:
        """Adapt (B, D) to (K, B, T, D) or (K, B, C, H, W)."""
        adapted_KBC = self.linear(features)
        adapted: Tensor = adapted_KBC[..., None, None] if self.is_map else adapted_KBC[:, :, None]
        return adapted + self.place


class GridAdapter(nn.Module):
    """From sequences to maps: tokens are laid on a grid row by row, then it goes on as between maps.

    A grid is square. Of as many tokens as a square and one more, the first is a class token, which has no place on it.
    Of any other number, as of texts, there is no grid: they are averaged or interpolated to as many as the map has.
    """

    def __init__(self, source: Sequence[int], target: Sequence[int], *, num_teachers: int) -> None:
        """Make the layers; shapes are without the batch."""
        super().__init__()
        length, width = source
        edge = math.isqrt(length)
        self.num_dropped = int(edge**2 == length - 1 and edge >= _SMALLEST_GRID)
        self.size = (edge, edge) if length - self.num_dropped == edge**2 else (target[1], target[2])
        self.adapter = MapAdapter((width, *self.size), target, num_teachers=num_teachers)

    def forward(self, features: Tensor) -> Tensor:
        """Adapt (B, T, D) to (K, B, C, H, W)."""
        tokens_BDT = features[:, self.num_dropped :].transpose(1, 2)
        places = self.size[0] * self.size[1]
        if tokens_BDT.shape[2] > places:
            tokens_BDT = functional.adaptive_avg_pool1d(tokens_BDT, places)
        elif tokens_BDT.shape[2] < places:
            tokens_BDT = functional.interpolate(tokens_BDT, size=places, mode="linear")
        adapted: Tensor = self.adapter(tokens_BDT.reshape(*tokens_BDT.shape[:2], *self.size))
        return adapted


_MAKERS = {
    (1, 1): VectorAdapter,
    (2, 1): VectorAdapter,
    (3, 1): VectorAdapter,
    (1, 2): SpreadAdapter,
    (2, 2): SequenceAdapter,
    (3, 2): SequenceAdapter,
    (1, 3): SpreadAdapter,
    (2, 3): GridAdapter,
    (3, 3): MapAdapter,
}
"""Adapters by the numbers of dimensions, after the batch, of what they lead from and to."""


def make_adapter(source: Sequence[int], target: Sequence[int], *, num_teachers: int) -> nn.Module:
    """Make the adapter from a student's features (B, ...) to those of stacked teachers (K, B, ...).

    Args:
        source: Shape of the student's, without the batch.
        target: Shape of the teachers', without teachers and batch.
        num_teachers: K.

    Raises:
        ValueError: One of them is no vector, sequence or map.
    """
    if len(source) not in KINDS or len(target) not in KINDS:
        raise ValueError(f"features must be one of {', '.join(KINDS.values())}, got {kind(source)} and {kind(target)}")
    return _MAKERS[len(source), len(target)](source, target, num_teachers=num_teachers)


def adapters_of(pairing: Pairing, pairs: Sequence[LayerPair]) -> nn.ModuleList:
    """Make the adapter of each pair of layers.

    Raises:
        ValueError: There is none for a pair; the message names it.
    """
    adapters = nn.ModuleList()
    for pair in pairs:
        target = pairing.teacher.features[pair.teacher]
        try:
            adapter = make_adapter(
                pairing.student.features[pair.student].shape[1:], target.shape[2:], num_teachers=len(target)
            )
        except ValueError as error:
            raise ValueError(f"layers {pair}: {error}") from error
        adapters.append(adapter)
    return adapters
