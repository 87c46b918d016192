"""Distillation of self-attention by relations between positions.

Shape letters: K = teachers, B = batch, H = heads, T = positions, D = width of a head, R = relation heads, E = width of
a relation head.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses.layers import LayerPair, names_of, parse_layers
from trials.losses.loss import Needs, Pairing

RELATIONS = {1: (("query", "key"), ("value", "value")), 2: (("query", "query"), ("key", "key"), ("value", "value"))}
"""What is related to what, by version of the method."""


class MiniLM(nn.Module):
    """Divergence of the relations between positions (Wang et al., 2020 and 2021).

    Version 1: https://arxiv.org/abs/2002.10957, equations 6 to 10. Version 2: https://arxiv.org/abs/2012.15828,
    equations 5 to 8, with the weights of all relations 1.

    Relations are softmaxes of products of queries, keys and values, so student and teacher may have any widths and, as
    vectors are regrouped to relation heads, any numbers of heads. Padding, which no position of the student may see, is
    related to nothing; where the student tells of none, all positions count.
    """

    def __init__(
        self, pairing: Pairing, *, layers: str = "attention_last", version: int = 2, relation_heads: int = 0
    ) -> None:
        """Check the features.

        Args:
            pairing: Queries, keys and values of the layers.
            layers: Names of attentions without their part, or pairs ``student=teacher``; values of several are added.
            version: 1 relates queries with keys, and values; 2 relates queries, keys and values each with themselves.
            relation_heads: R, a divisor of both widths; 0 takes the student's heads.

        Raises:
            ValueError: An option is malformed, or shapes do not fit.
        """
        super().__init__()
        self.needs(layers=layers, version=version, relation_heads=relation_heads)
        pairs = parse_layers(layers)
        self.relations = tuple(
            (_part(pair, first), _part(pair, second)) for pair in pairs for first, second in _relations(version)
        )
        first = pairing.student.features[self.relations[0][0].student]
        self.relation_heads = relation_heads or first.shape[1]
        for relation in self.relations:
            self._check(relation, pairing)

    @staticmethod
    def needs(*, layers: str = "attention_last", version: int = 2, relation_heads: int = 0) -> Needs:
        """Give the layers' queries, keys and values, and what the student may see."""
        if not isinstance(relation_heads, int) or relation_heads < 0:
            raise ValueError(f"relation_heads must be a whole number, at least 0, got {relation_heads!r}")
        parts = dict.fromkeys(part for relation in _relations(version) for part in relation)
        pairs = parse_layers(layers)
        names = names_of(tuple(_part(pair, part) for pair in pairs for part in parts))
        return replace(names, student=(*names.student, *dict.fromkeys(_seen(pair.student) for pair in pairs)))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare relations; labels are not used.

        Returns:
            ``loss_KB``, a mean over relation heads and valid positions for each relation.
        """
        del label_B
        divergences_KB: list[Tensor] = []
        for first, second in self.relations:
            valid_BT = self._valid(student, first)
            student_BRTT = self._relate(
                student.features[first.student], student.features[second.student], valid_BT=valid_BT
            )
            teacher_KBRTT = self._relate(
                teacher.features[first.teacher].detach(), teacher.features[second.teacher].detach(), valid_BT=valid_BT
            )
            divergence_KBT = (teacher_KBRTT.exp() * (teacher_KBRTT - student_BRTT)).sum(dim=-1).mean(dim=-2)
            if valid_BT is None:
                divergences_KB.append(divergence_KBT.mean(dim=-1))
            else:
                divergences_KB.append((divergence_KBT * valid_BT).sum(dim=-1) / valid_BT.sum(dim=-1).clamp(min=1))
        return torch.stack(divergences_KB).sum(dim=0)

    def _valid(self, student: Outputs, first: LayerPair) -> Tensor | None:
        """Tell which positions are no padding; None where none is, which saves the masks."""
        seen_BT = student.features.get(_seen(first.student.rpartition(".")[0]))
        return None if seen_BT is None or bool((seen_BT > 0).all()) else (seen_BT > 0)

    def _relate(self, first: Tensor, second: Tensor, *, valid_BT: Tensor | None) -> Tensor:
        """Give logarithms of the relations (..., B, R, T, T) of two (..., B, H, T, D)."""
        first, second = self._regroup(first), self._regroup(second)
        scores: Tensor = first @ second.transpose(-1, -2) / math.sqrt(first.shape[-1])
        if valid_BT is not None:
            # Not −inf, whose difference from itself is no number.
            scores = scores.masked_fill(~valid_BT[:, None, None, :], torch.finfo(scores.dtype).min / 2)
        return scores.log_softmax(dim=-1)

    def _regroup(self, vectors: Tensor) -> Tensor:
        """Put heads side by side, and cut them into relation heads (..., B, R, T, E)."""
        if vectors.shape[-3] == self.relation_heads:
            return vectors
        joined = vectors.transpose(-3, -2).flatten(-2)
        return joined.reshape(*joined.shape[:-1], self.relation_heads, -1).transpose(-3, -2)

    def _check(self, relation: tuple[LayerPair, LayerPair], pairing: Pairing) -> None:
        widths = []
        for pair in relation:
            shapes = (pairing.student.features[pair.student].shape, pairing.teacher.features[pair.teacher].shape[1:])
            if any(len(shape) != 4 for shape in shapes):
                raise ValueError(f"minilm needs (B, heads, T, d) of {pair}, got {tuple(shapes[0])}, {tuple(shapes[1])}")
            if shapes[0][2] != shapes[1][2]:
                raise ValueError(
                    f"minilm relates the same positions; {pair} has {shapes[0][2]} in the student, {shapes[1][2]} in "
                    "the teacher: both must cut their input into the same tokens"
                )
            widths.append([shape[1] * shape[3] for shape in shapes])
        if widths[0] != widths[1]:
            raise ValueError(
                f"minilm relates vectors of one width; {relation[0]} has {widths[0]}, {relation[1]} has {widths[1]} "
                "(student, teacher), as where heads share their keys: take version 2"
            )
        common = math.gcd(*widths[0])
        if common % self.relation_heads:
            divisors = [heads for heads in range(1, common + 1) if common % heads == 0]
            raise ValueError(
                f"relation_heads must divide the widths {widths[0]} (student, teacher) of {relation[0]}, got "
                f"{self.relation_heads}; these do: {divisors}"
            )


def _relations(version: int) -> tuple[tuple[str, str], ...]:
    if version not in RELATIONS:
        raise ValueError(f"version of minilm must be one of {', '.join(map(str, sorted(RELATIONS)))}, got {version!r}")
    return RELATIONS[version]


def _seen(layer: str) -> str:
    return f"{layer}.seen"


def _part(pair: LayerPair, part: str) -> LayerPair:
    return LayerPair(f"{pair.student}.{part}", f"{pair.teacher}.{part}")
