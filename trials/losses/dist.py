"""Distillation by correlation: the student keeps the order and the spacing of probabilities, not their values.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

import torch
from torch import Tensor

from teachers import Outputs
from trials.losses.loss import batch_statistic
from trials.losses.options import Bounds, bounded

_EPSILON = 1e-8
_CONSTANT = 1e-6


@batch_statistic
@bounded(beta=Bounds(), gamma=Bounds())
def dist(
    student: Outputs,
    teacher: Outputs,
    label_B: Tensor,
    *,
    beta: float = 1.0,
    gamma: float = 1.0,
    temperature: float = 1.0,
) -> Tensor:
    """One minus the correlation of probabilities, over classes and over the batch (Huang et al., 2022).

    https://arxiv.org/abs/2205.10536

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used.
        beta: Weight of the relation between classes, sample by sample; at least 0.
        gamma: Weight of the relation between samples, class by class; at least 0.
        temperature: Above 0.

    Returns:
        ``loss`` (...,), a statistic of the batch. A batch of one sample has no relation between samples: its part is
        ``gamma * temperature**2``, and teaches nothing.
    """
    del label_B
    student_BC = (student.logits / temperature).softmax(dim=-1)
    teacher_BC = (teacher.logits.detach() / temperature).softmax(dim=-1)
    between_classes = 1 - correlation(student_BC, teacher_BC, dim=-1).mean(dim=-1)
    between_samples = 1 - correlation(student_BC, teacher_BC, dim=-2).mean(dim=-1)
    return (beta * between_classes + gamma * between_samples) * temperature**2


def correlation(left: Tensor, right: Tensor, *, dim: int) -> Tensor:
    """Pearson's correlation along a dimension.

    Values are those of the authors' code. Where one side is constant but for rounding, as the prediction of a student
    that knows nothing yet, their gradient is 1e8; here it is 0, as is the correlation.
    """
    (left, left_norm, left_flat), (right, right_norm, right_flat) = _centre(left, dim), _centre(right, dim)
    flat = left_flat | right_flat
    # Masked before and after: a norm that is no number, or infinite, would give gradients that are no numbers.
    norms = (left_norm * right_norm).masked_fill(flat, 1.0)
    return ((left * right).sum(dim=dim) / (norms + _EPSILON)).masked_fill(flat, 0.0)


def _centre(values: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Subtract the mean; give the rest, its norm, and whether it is but rounding."""
    mean = values.mean(dim=dim, keepdim=True)
    centred = values - mean
    norm = torch.linalg.vector_norm(centred, dim=dim)
    rounding = _CONSTANT * values.shape[dim] ** 0.5 * mean.detach().abs().squeeze(dim)
    return centred, norm, norm <= rounding
