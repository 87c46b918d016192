"""Distillation from a teacher that cuts texts into other tokens: sorted probabilities, position by position.

Shape letters: K = teachers, B = tokens, V = vocabulary of the student, k = probabilities that are kept of a teacher.
"""

import torch
from torch import Tensor, nn

from teachers import SORTED, Outputs
from trials.losses.loss import Needs, Pairing


class ULD(nn.Module):
    """Distance of sorted probabilities, Σ_i |p_(i) − q_(i)| (universal logit distillation: Boizard et al., 2025).

    https://arxiv.org/abs/2402.12030, equation 4: the Wasserstein distance between predictions over vocabularies that
    nobody can align. The shorter of both is filled up with zeros. Position t of the student's tokens of a row meets
    position t of the teacher's tokens of the same text, up to the end of the shorter one, and the mean is over these.
    The authors weigh it 1.5 beside a cross-entropy of 1.

    Of a teacher only the largest probabilities are kept; the others, which are a small rest, count as 0.
    """

    of_tokens = True
    """It has a value for each token, not for each row."""

    def __init__(self, pairing: Pairing) -> None:
        """Take any student, and any teachers that give what it needs."""
        super().__init__()
        del pairing

    @staticmethod
    def needs() -> Needs:
        """Give the teachers' sorted probabilities."""
        return Needs(teacher=(SORTED,))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare; labels are not used.

        Returns:
            ``loss_KB``; 0 where a teacher has no token at that position.
        """
        del label_B
        own = student.logits.softmax(dim=-1).sort(dim=-1, descending=True).values
        told = teacher.features[SORTED].detach()
        width = max(own.shape[-1], told.shape[-1])
        own = nn.functional.pad(own, (0, width - own.shape[-1]))
        told = nn.functional.pad(told, (0, width - told.shape[-1]))
        distance_KB = (own - told).abs().sum(dim=-1)
        return torch.where(told.sum(dim=-1) > 0, distance_KB, 0.0)
