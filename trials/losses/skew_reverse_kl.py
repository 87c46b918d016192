"""Distillation by the reverse divergence from a mixture that holds a little of the student: gradients stay bounded.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor

from teachers import Outputs
from trials.losses.mixture import divergence, log_mixture
from trials.losses.options import Bounds, bounded


@bounded(alpha=Bounds(0, 1, open=True))
def skew_reverse_kl(student: Outputs, teacher: Outputs, label_B: Tensor, *, alpha: float = 0.1) -> Tensor:
    """Divergence of a mixture from the student, KL(S ‖ (1 - α)T + αS) (Ko et al., 2024, section 3.1).

    https://arxiv.org/abs/2402.03898

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used.
        alpha: Share of the student in the mixture, above 0 and below 1; the loss is at most -ln(alpha).

    Returns:
        ``loss`` (..., B).
    """
    del label_B
    student_BC = student.logits.log_softmax(dim=-1)
    teacher_BC = teacher.logits.detach().log_softmax(dim=-1)
    return divergence(student_BC, log_mixture(student_BC, teacher_BC, share=1 - alpha))
