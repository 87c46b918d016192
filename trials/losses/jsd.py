"""Distillation by the generalised Jensen-Shannon divergence, between the forward and the reverse one.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor

from teachers import Outputs
from trials.losses.mixture import divergence, log_mixture
from trials.losses.options import Bounds, bounded


@bounded(beta=Bounds(0, 1))
def jsd(student: Outputs, teacher: Outputs, label_B: Tensor, *, beta: float = 0.5) -> Tensor:
    """Both sides against their mixture M, β KL(T ‖ M) + (1 - β) KL(S ‖ M) (Agarwal et al., 2024, equation 1).

    https://arxiv.org/abs/2306.13649

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used.
        beta: Share of the teacher in the mixture, 0 to 1. The divergence would be 0 at both ends; as in the paper's
            experiments, 0 stands for the forward divergence KL(T ‖ S), and 1 for the reverse one, KL(S ‖ T).

    Returns:
        ``loss`` (..., B), at most ln 2 unless ``beta`` is 0 or 1.
    """
    del label_B
    student_BC = student.logits.log_softmax(dim=-1)
    teacher_BC = teacher.logits.detach().log_softmax(dim=-1)
    if beta == 0:
        return divergence(teacher_BC, student_BC)
    if beta == 1:
        return divergence(student_BC, teacher_BC)
    mixture_BC = log_mixture(student_BC, teacher_BC, share=beta)
    return beta * divergence(teacher_BC, mixture_BC) + (1 - beta) * divergence(student_BC, mixture_BC)
