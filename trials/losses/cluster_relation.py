"""Relations between pairs of samples, for data of which most has no label.

Shape letters: B = batch, C = classes, D = numbers of a sample, P = pairs; further dimensions, such as K teachers, may
stand in front of B.
"""

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Outputs
from trials.losses.loss import Needs, Pairing, batch_statistic
from trials.losses.options import Bounds, bounded
from trials.losses.relations import directions, layer_needs, student_rows, teacher_rows


@batch_statistic
@bounded(lowest=Bounds(0, 2))
class ClusterRelation(nn.Module):
    """Products of a student's logits against cosines of the teacher, on pairs of samples (Dong et al., 2023).

    https://arxiv.org/abs/2307.11030

    It draws samples together that the teacher finds alike, and so learns clusters, which a few labels then name. A
    student that says what the teacher says is not at 0: cosines are compared with products.
    """

    def __init__(
        self, pairing: Pairing, *, layer: str = "logits", unlabelled_only: bool = False, lowest: float = 0.0
    ) -> None:
        """Remember the options.

        Args:
            pairing: Not used, nothing is learnt.
            layer: Name of a feature of the teachers, or ``logits``; the student's are always its logits.
            unlabelled_only: Whether rows with a label are left out before pairs are made.
            lowest: Pairs count where the teacher's cosine is above ``lowest - 1``; from 0 for all to 2 for none.
        """
        super().__init__()
        del pairing
        self.layer, self.unlabelled_only, self.lowest = layer, unlabelled_only, lowest

    @staticmethod
    def needs(*, layer: str = "logits", unlabelled_only: bool = False, lowest: float = 0.0) -> Needs:
        """Say which feature of the teachers is read."""
        del unlabelled_only, lowest
        return Needs(teacher=layer_needs(layer).teacher)

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Give ``loss`` (...,), a statistic of the batch; 0 where no pair counts."""
        student_BC, teacher_BD = student_rows(student, "logits"), teacher_rows(teacher, self.layer)
        if self.unlabelled_only:
            rows = (label_B == MISSING_LABEL).nonzero().squeeze(dim=-1)
            student_BC, teacher_BD = student_BC[..., rows, :], teacher_BD[..., rows, :]
        return pairs_loss(student_BC, teacher_BD, lowest=self.lowest)


def pairs_loss(student_BC: Tensor, teacher_BD: Tensor, *, lowest: float = 0.0) -> Tensor:
    """Length of the vector of differences over all pairs, over their number: (..., B, D) → (...,).

    Each sample of the first half is paired with its neighbour of the second half. With an odd number of samples the
    middle one has no partner and is left out, as in the authors' code. A single sample makes no pair: the loss is 0.
    """
    num_pairs, start = student_BC.shape[-2] // 2, (student_BC.shape[-2] + 1) // 2
    first_P, second_P = slice(0, num_pairs), slice(start, None)
    student_P = (student_BC[..., first_P, :] * student_BC[..., second_P, :]).sum(dim=-1)
    teacher_BD = directions(teacher_BD)
    teacher_P = (teacher_BD[..., first_P, :] * teacher_BD[..., second_P, :]).sum(dim=-1)
    counts_P = teacher_P > lowest - 1
    difference_P = (teacher_P - student_P) * counts_P
    length: Tensor = torch.linalg.vector_norm(difference_P, dim=-1)
    return length / counts_P.sum(dim=-1).clamp(min=1)
