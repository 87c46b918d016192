"""Distillation by the divergence from a mixture that holds a little of the teacher: gradients stay bounded.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor

from teachers import Outputs
from trials.losses.mixture import divergence, log_mixture
from trials.losses.options import Bounds, bounded


@bounded(alpha=Bounds(0, 1, open=True))
def skew_kl(student: Outputs, teacher: Outputs, label_B: Tensor, *, alpha: float = 0.1) -> Tensor:
    """Divergence of a mixture from the teacher, KL(T ‖ αT + (1 - α)S) (Ko et al., 2024, equation 4).

    https://arxiv.org/abs/2402.03898

    The authors' code leaves the teacher's entropy in; the gradient is the same.

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used.
        alpha: Share of the teacher in the mixture, above 0 and below 1; the loss is at most -ln(alpha).

    Returns:
        ``loss`` (..., B).
    """
    del label_B
    student_BC = student.logits.log_softmax(dim=-1)
    teacher_BC = teacher.logits.detach().log_softmax(dim=-1)
    return divergence(teacher_BC, log_mixture(student_BC, teacher_BC, share=alpha))
