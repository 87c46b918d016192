"""Distillation by hints: the student's features, adapted, resemble the teacher's.

Shape letters: K = teachers, B = batch.
"""

import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses.adapting import adapters_of
from trials.losses.layers import names_of, parse_layers
from trials.losses.loss import Needs, Pairing


class Hint(nn.Module):
    """Mean squared error between adapted features and the teacher's (FitNets: Romero et al., 2015, equation 3).

    https://arxiv.org/abs/1412.6550

    The error is added to those of other terms; the authors train it alone first, in a stage of its own.
    """

    def __init__(self, pairing: Pairing, *, layers: str = "last") -> None:
        """Make the adapters.

        Args:
            pairing: Features of the layers.
            layers: Names of features, or pairs ``student=teacher``; errors of several are added up.

        Raises:
            ValueError: ``layers`` is malformed, or features of a pair cannot be compared.
        """
        super().__init__()
        self.pairs = parse_layers(layers)
        self.adapters = adapters_of(pairing, self.pairs)

    @staticmethod
    def needs(*, layers: str = "last") -> Needs:
        """Give the layers' features."""
        return names_of(parse_layers(layers))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare features; labels are not used.

        Returns:
            ``loss_KB``.
        """
        del label_B
        errors_KB = []
        for pair, adapter in zip(self.pairs, self.adapters, strict=True):
            difference = adapter(student.features[pair.student]) - teacher.features[pair.teacher].detach()
            errors_KB.append(difference.square().flatten(2).mean(dim=2))
        return torch.stack(errors_KB).sum(dim=0)
