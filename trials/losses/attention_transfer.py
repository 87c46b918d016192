"""Distillation of where a network looks: sums of squared activations over channels.

Shape letters: K = teachers, B = batch, C = channels, H, W = size of a map, P = positions, H times W.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from teachers import Outputs
from trials.losses.adapters import kind
from trials.losses.layers import names_of, parse_layers
from trials.losses.loss import Needs, Pairing


class AttentionTransfer(nn.Module):
    """Squared difference of normalised attention maps (Zagoruyko and Komodakis, 2017, section 3.1).

    https://arxiv.org/abs/1612.03928

    The mean over positions stands for the paper's norm, as in the authors' code; its weight is then about 1000. Where
    sizes differ, the larger features are averaged to the smaller size before they are squared.
    """

    def __init__(self, pairing: Pairing, *, layers: str = "stage1, last") -> None:
        """Check the features.

        Args:
            pairing: Feature maps of the layers, with any channels and sizes.
            layers: Names of features, or pairs ``student=teacher``; differences of several are added up.

        Raises:
            ValueError: ``layers`` is malformed, or a feature is no map.
        """
        super().__init__()
        self.pairs = parse_layers(layers)
        for pair in self.pairs:
            shapes = (
                pairing.student.features[pair.student].shape[1:],
                pairing.teacher.features[pair.teacher].shape[2:],
            )
            for side, shape in zip(("student", "teacher"), shapes, strict=True):
                if len(shape) != 3:
                    raise ValueError(
                        f"attention_transfer needs feature maps (C, H, W); {pair} of the {side} is a {kind(shape)}"
                    )

    @staticmethod
    def needs(*, layers: str = "stage1, last") -> Needs:
        """Give the layers' features."""
        return names_of(parse_layers(layers))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare where both look; labels are not used.

        Returns:
            ``loss_KB``.
        """
        del label_B
        differences_KB = []
        for pair in self.pairs:
            student_BCHW = student.features[pair.student]
            teacher_KBCHW = teacher.features[pair.teacher].detach()
            (height, width), sizes = student_BCHW.shape[-2:], teacher_KBCHW.shape[-2:]
            size = (min(height, sizes[0]), min(width, sizes[1]))
            difference_KBP = attention_map(student_BCHW, size) - attention_map(teacher_KBCHW, size)
            differences_KB.append(difference_KBP.square().mean(dim=2))
        return torch.stack(differences_KB).sum(dim=0)


def attention_map(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Give the attention map (..., P), of length 1, of features (..., C, H, W)."""
    if features.shape[-2:] != size:
        smaller = functional.adaptive_avg_pool2d(features.flatten(0, -4), size)
        features = smaller.reshape(*features.shape[:-2], *size)
    return functional.normalize(features.square().mean(dim=-3).flatten(-2), dim=-1)
