"""What teachers said of every token of a batch, made whole a few tokens at a time.

Shape letters: K = teachers, B = batch, T = positions, V = vocabulary, k = tokens that are kept of cut logits, n = some
positions of all B * T.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from teachers.outputs import Batch, TeacherOutputs


@dataclass(frozen=True, kw_only=True, eq=False)
class CutLogits:
    """Logits of one teacher of which only some are kept.

    Args:
        values: Logits that are kept (B, T, k).
        classes: Their tokens (B, T, k), integers.
        tail: One logit for all other tokens together (B, T).
        width: V.
    """

    values: Tensor
    classes: Tensor
    tail: Tensor
    width: int

    def at(self, position_n: Tensor) -> Tensor:
        """Make some positions whole: (n, V), float32; the mass of the tail is spread evenly, as ``decode_top`` does."""
        values, classes, tail = (
            part.flatten(0, 1).index_select(0, position_n) for part in (self.values, self.classes, self.tail)
        )
        share = tail.float() - math.log(self.width - values.shape[-1])
        whole = share[:, None].expand(-1, self.width).clone()
        return whole.scatter_(1, classes.long(), values.float())

    def to(self, device: torch.device) -> "CutLogits":
        """Move it."""
        return CutLogits(
            values=self.values.to(device),
            classes=self.classes.to(device),
            tail=self.tail.to(device),
            width=self.width,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenOutputs:
    """What all teachers of an ensemble said about each token of a batch; nothing as large as K batches is ever made.

    Args:
        logits: Of each teacher, whole (B, T, V) or cut.
        features: Of each teacher, by name, each (B, ...); empty where none were asked for.
    """

    logits: tuple[Tensor | CutLogits, ...]
    features: tuple[Mapping[str, Tensor], ...] = ()

    def at(self, position_n: Tensor, features: Collection[str] = ()) -> TeacherOutputs:
        """Give what was said at some positions.

        Args:
            position_n: Counted over rows and positions together.
            features: Names of those that have a value for each position, (B, t, ...); where t is below T, the others
                are zeros.

        Returns:
            Logits (K, n, V), and these features, each (n, ...).
        """
        length = self._shape[1]
        return TeacherOutputs(
            features=tuple({name: _at(each[name], position_n, length) for name in features} for each in self.features)
            if features
            else (),
            logits=torch.stack(
                [
                    logits.at(position_n)
                    if isinstance(logits, CutLogits)
                    else logits.flatten(0, 1).index_select(0, position_n).float()
                    for logits in self.logits
                ]
            ),
        )

    def entire(self) -> TeacherOutputs:
        """Give everything (K, B, T, V): of a few rows."""
        shape = self._shape
        whole = self.at(torch.arange(shape.numel(), device=self.of_rows().logits.device)).logits
        return TeacherOutputs(logits=whole.reshape(len(whole), *shape, -1), features=self.features)

    @property
    def _shape(self) -> torch.Size:
        (first, *_) = self.logits
        return (first.tail if isinstance(first, CutLogits) else first[..., 0]).shape

    def of_rows(self) -> TeacherOutputs:
        """Give the features alone, with logits (K, B, 0) of nothing."""
        rows = len(self.logits[0].values if isinstance(self.logits[0], CutLogits) else self.logits[0])
        device = (self.logits[0].values if isinstance(self.logits[0], CutLogits) else self.logits[0]).device
        return TeacherOutputs(logits=torch.zeros(len(self.logits), rows, 0, device=device), features=self.features)

    def only(self, teachers: Sequence[int]) -> "TokenOutputs":
        """Keep some teachers, by their positions."""
        features = tuple(self.features[k] for k in teachers) if self.features else ()
        return TokenOutputs(logits=tuple(self.logits[k] for k in teachers), features=features)

    def to(self, device: torch.device) -> "TokenOutputs":
        """Move it."""
        features = tuple({name: values.to(device) for name, values in each.items()} for each in self.features)
        return TokenOutputs(logits=tuple(logits.to(device) for logits in self.logits), features=features)

    @classmethod
    def whole(cls, outputs: TeacherOutputs) -> "TokenOutputs":
        """Take what was said in full (K, B, T, V)."""
        return cls(logits=tuple(outputs.logits), features=outputs.features)


def _at(feature: Tensor, position_n: Tensor, length: int) -> Tensor:
    row_n, column_n = position_n.div(length, rounding_mode="floor"), position_n % length
    there_n = column_n < feature.shape[1]
    found = feature[row_n, column_n.clamp(max=feature.shape[1] - 1)].float()
    return found * there_n.view(-1, *(1,) * (found.ndim - 1))


@runtime_checkable
class TokenEnsembleOutputs(Protocol):
    """Where a trial hears its teachers about tokens: from the cache, or on the spot."""

    def of_tokens(self, batch: Batch, features: Collection[str] = ()) -> TokenOutputs:
        """Answer for a batch of rows of tokens, all teachers at once; arguments are those of ``EnsembleOutputs``."""
        ...
