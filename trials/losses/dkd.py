"""Decoupled distillation: how sure the teacher is of the target, and what it thinks of the other classes.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Outputs
from trials.losses.options import Bounds, bounded


@bounded(alpha=Bounds(), beta=Bounds())
def dkd(
    student: Outputs,
    teacher: Outputs,
    label_B: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    """Divergence on the target and divergence among the other classes, weighed apart (Zhao et al., 2022, equation 7).

    https://arxiv.org/abs/2203.08679

    The authors let the weight of the term rise over the first 20 epochs; here it is the same in all.

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: The targets; where a label is missing, the class that the teacher holds for likeliest is the target.
        alpha: Weight of the target, at least 0.
        beta: Weight of the other classes, at least 0.
        temperature: Above 0.

    Returns:
        ``loss`` (..., B); 0 where there is one class alone.
    """
    student_BC, teacher_BC = student.logits / temperature, teacher.logits.detach() / temperature
    if student_BC.shape[-1] == 1:
        return (student_BC * teacher_BC * 0).sum(dim=-1)
    guess_B = teacher_BC.argmax(dim=-1)
    target_B1 = torch.where(label_B == MISSING_LABEL, guess_B, label_B)[..., None]
    is_target_BC = target_B1 == torch.arange(student_BC.shape[-1], device=target_B1.device)
    student_BC = student_BC.expand(is_target_BC.shape)
    student_B, teacher_B = (_total_of_others(logits_BC, is_target_BC) for logits_BC in (student_BC, teacher_BC))
    on_target_B = _binary_divergence(
        teacher_BC.expand(is_target_BC.shape).gather(-1, target_B1).squeeze(-1) - teacher_B,
        student_BC.gather(-1, target_B1).squeeze(-1) - student_B,
    )
    probability_BC = (teacher_BC - teacher_B[..., None]).masked_fill(is_target_BC, -torch.inf).exp()
    among_others_B = (probability_BC * (teacher_BC - student_BC)).sum(dim=-1) - (teacher_B - student_B)
    return (alpha * on_target_B + beta * among_others_B) * temperature**2


def _total_of_others(logits_BC: Tensor, is_target_BC: Tensor) -> Tensor:
    """Give the log of the sum over all classes but the target: what logits less it are log probabilities of."""
    return logits_BC.masked_fill(is_target_BC, -torch.inf).logsumexp(dim=-1)


def _binary_divergence(teacher_B: Tensor, student_B: Tensor) -> Tensor:
    """Divergence of two coins from their log odds, exact where a probability is too close to 1 for 1 - p."""
    yes, no = nn.functional.logsigmoid(teacher_B), nn.functional.logsigmoid(-teacher_B)
    differences = yes - nn.functional.logsigmoid(student_B), no - nn.functional.logsigmoid(-student_B)
    return yes.exp() * differences[0] + no.exp() * differences[1]
