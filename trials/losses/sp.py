"""Similarity-preserving distillation: samples that are alike to the teacher are alike to the student.

Shape letters: B = batch, D = numbers of a sample; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor, nn

from teachers import Outputs
from trials.losses.loss import Needs, Pairing, batch_statistic
from trials.losses.relations import directions, layer_needs, student_rows, teacher_rows


@batch_statistic
class SP(nn.Module):
    """Difference of the similarities between the samples of a batch (Tung and Mori, 2019, equation 4).

    https://arxiv.org/abs/1907.09682

    Student and teacher may be of different widths.
    """

    def __init__(self, pairing: Pairing, *, layer: str = "logits") -> None:
        """Remember the layer.

        Args:
            pairing: Not used, nothing is learnt.
            layer: Name of a feature that student and teachers have, or ``logits``.
        """
        super().__init__()
        del pairing
        self.layer = layer

    @staticmethod
    def needs(*, layer: str = "logits") -> Needs:
        """Say which feature is read."""
        return layer_needs(layer)

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Give ``loss`` (...,), a statistic of the batch."""
        del label_B
        return similarity_loss(student_rows(student, self.layer), teacher_rows(teacher, self.layer))


def similarity_loss(student_BD: Tensor, teacher_BD: Tensor) -> Tensor:
    """Mean squared difference of the Gram matrices, each of their rows scaled to length 1: (..., B, D) → (...,).

    A sample whose vector is 0 has no direction: its row stays 0, and it learns nothing.
    """
    student_BB, teacher_BB = (directions(rows @ rows.mT) for rows in (student_BD, teacher_BD))
    return (student_BB - teacher_BB).square().mean(dim=(-2, -1))
