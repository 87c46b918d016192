"""Distillation by the reverse divergence: the student keeps to what the teacher holds for likely.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor

from teachers import Outputs
from trials.losses.mixture import divergence


def reverse_kl(student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
    """Divergence of the teacher from the student, KL(S ‖ T) (Gu et al., 2024, equation 1).

    https://arxiv.org/abs/2306.08543

    A student that is too small to follow the teacher everywhere gives up what is unlikely, instead of spreading out.

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used.

    Returns:
        ``loss`` (..., B).
    """
    del label_B
    student_BC = student.logits.log_softmax(dim=-1)
    teacher_BC = teacher.logits.detach().log_softmax(dim=-1)
    return divergence(student_BC, teacher_BC)
