"""Distillation of attention maps over links between layers that are learnt.

Shape letters: K = teachers, B = batch, C = channels, H, W = size of a map, P = positions, L = layers of the teacher,
S = layers of the student, Q = width of queries and keys.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from teachers import Outputs
from trials.losses.adapters import StackedLinear, StackedNorm, kind
from trials.losses.layers import names_of, parse_layers
from trials.losses.loss import Needs, Pairing


class AttentionFeatureDistillation(nn.Module):
    """Every layer of the teacher is matched by those of the student that suit it (AFD: Ji et al., 2021).

    https://arxiv.org/abs/2102.02973, equations 1 to 5; with a weight of 200 beside ``hard_label`` and 0.9 ``kd`` there.

    Which suit is learnt along: a softmax over products of queries, of the teacher's layers, and keys, of the student's.
    """

    def __init__(self, pairing: Pairing, *, layers: str = "stage1, last", width: int = 128) -> None:
        """Make queries, keys and the embeddings of the layers' places.

        Args:
            pairing: Feature maps of the layers, with any channels and sizes.
            layers: Names of features, or pairs ``student=teacher``. All layers that are named of the student are linked
                with all that are named of the teacher; pairs say no more than that.
            width: Q, at least 1.

        Raises:
            ValueError: An option is malformed, or a feature is no map.
        """
        super().__init__()
        self.names = self.needs(layers=layers, width=width)
        student = [pairing.student.features[name].shape[1:] for name in self.names.student]
        teacher = [pairing.teacher.features[name].shape[2:] for name in self.names.teacher]
        for name, shape in [
            *zip(self.names.student, student, strict=True),
            *zip(self.names.teacher, teacher, strict=True),
        ]:
            if len(shape) != 3:
                raise ValueError(f"afd needs feature maps (C, H, W); {name} is a {kind(shape)}")
        count = len(pairing.teacher.features[self.names.teacher[0]])
        self.width = width
        self.queries = nn.ModuleList(_Projection(count, shape[0], width, separate=True) for shape in teacher)
        self.keys = nn.ModuleList(_Projection(count, shape[0], width) for shape in student)
        self.bilinear = _Projection(count, width, width * len(teacher), separate=True)
        self.place_KLQ = nn.Parameter(_places(count, len(teacher), width))
        self.place_KSQ = nn.Parameter(_places(count, len(student), width))

    @staticmethod
    def needs(*, layers: str = "stage1, last", width: int = 128) -> Needs:
        """Give the layers' features."""
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"width of afd must be a whole number above 0, got {width!r}")
        return names_of(parse_layers(layers))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare attention maps, each link with its share; labels are not used.

        Returns:
            ``loss_KB``.
        """
        del label_B
        student_maps = [student.features[name] for name in self.names.student]
        teacher_maps = [teacher.features[name].detach() for name in self.names.teacher]
        shares_KBLS = self._shares(student_maps, teacher_maps)
        # Student's maps at each size that teacher's layers have, and no size twice.
        sizes = {(maps.shape[3], maps.shape[4]) for maps in teacher_maps}
        student_BSP = {size: _attention(student_maps, size) for size in sizes}
        loss_KB = shares_KBLS.new_zeros(shares_KBLS.shape[:2])
        for layer, maps in enumerate(teacher_maps):
            teacher_KBP = functional.normalize(maps.square().mean(dim=2).flatten(2), dim=2)
            difference_KBSP = student_BSP[maps.shape[3], maps.shape[4]] - teacher_KBP[:, :, None]
            loss_KB = loss_KB + (shares_KBLS[:, :, layer] * difference_KBSP.square().mean(dim=3)).sum(dim=2)
        return loss_KB

    def _shares(self, student_maps: list[Tensor], teacher_maps: list[Tensor]) -> Tensor:
        """Give the share of each layer of the student in each of the teacher (K, B, L, S)."""
        query_KBLQ = torch.stack(
            [query(maps.mean(dim=(3, 4))) for query, maps in zip(self.queries, teacher_maps, strict=True)], dim=2
        )
        key_KBSQ = torch.stack(
            [key(maps.mean(dim=(2, 3))).relu() for key, maps in zip(self.keys, student_maps, strict=True)], dim=2
        )
        key_KBSLQ = self.bilinear(key_KBSQ.flatten(1, 2)).reshape(*key_KBSQ.shape[:3], -1, self.width)
        places_KLS = self.place_KLQ @ self.place_KSQ.transpose(1, 2)
        logits_KBLS = torch.einsum("kbslq,kblq->kbls", key_KBSLQ, query_KBLQ) + places_KLS[:, None]
        return (logits_KBLS / math.sqrt(self.width)).softmax(dim=3)


class _Projection(nn.Module):
    """K linear layers, each with batch normalisation."""

    def __init__(self, num_teachers: int, in_width: int, out_width: int, *, separate: bool = False) -> None:
        super().__init__()
        self.linear = StackedLinear(num_teachers, in_width, out_width, separate=separate)
        self.norm = StackedNorm(num_teachers, out_width)

    def forward(self, inputs: Tensor) -> Tensor:
        normalised: Tensor = self.norm(self.linear(inputs))
        return normalised


def _attention(maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Give attention maps (B, S, P), squared before they are averaged to the size, unlike in attention transfer."""
    squares = [functional.adaptive_avg_pool2d(each.square().mean(dim=1), size).flatten(1) for each in maps]
    return functional.normalize(torch.stack(squares, dim=1), dim=2)


def _places(num_teachers: int, num_layers: int, width: int) -> Tensor:
    return torch.stack([nn.init.xavier_normal_(torch.empty(num_layers, width)) for _ in range(num_teachers)])
