"""Mixtures of a student's prediction with a teacher's, which divergences of language models compare with.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

import math

import torch
from torch import Tensor


def log_mixture(student_BC: Tensor, teacher_BC: Tensor, *, share: float) -> Tensor:
    """Mix two predictions.

    Args:
        student_BC: Log probabilities.
        teacher_BC: Log probabilities.
        share: Of the teacher, above 0 and below 1.

    Returns:
        Log of ``share * teacher + (1 - share) * student``.
    """
    return torch.logaddexp(student_BC + math.log1p(-share), teacher_BC + math.log(share))


def divergence(left_BC: Tensor, right_BC: Tensor) -> Tensor:
    """Divergence KL(left ‖ right) of log probabilities: (..., B, C) → (..., B)."""
    return (left_BC.exp() * (left_BC - right_BC)).sum(dim=-1)
