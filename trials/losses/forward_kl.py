"""Distillation by the forward divergence at temperature 1, as language models are taught.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor

from teachers import Outputs
from trials.losses.mixture import divergence


def forward_kl(student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
    """Divergence of the student from the teacher, KL(T ‖ S): word-level distillation (Kim and Rush, 2016, equation 4).

    https://arxiv.org/abs/1606.07947

    The paper's cross-entropy is this and the teacher's entropy, which has no gradient.

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used.

    Returns:
        ``loss`` (..., B).
    """
    del label_B
    return divergence(teacher.logits.detach().log_softmax(dim=-1), student.logits.log_softmax(dim=-1))
