"""Distillation by softened probabilities.

Shape letters: B = batch, C = classes; further dimensions, such as K teachers, may stand in front of B.
"""

from torch import Tensor, nn

from teachers import Outputs


def kd(student: Outputs, teacher: Outputs, label_B: Tensor, *, temperature: float = 4.0) -> Tensor:
    """Divergence of the student from the teacher, both softened (Hinton et al., 2015, section 2).

    https://arxiv.org/abs/1503.02531

    Args:
        student: Needs ``logits`` only.
        teacher: Needs ``logits`` only.
        label_B: Not used; softened probabilities carry the label already.
        temperature: Above 0; higher shows more of what the teacher thinks of wrong classes.

    Returns:
        ``loss`` (..., B).
    """
    del label_B
    student_BC = nn.functional.log_softmax(student.logits / temperature, dim=-1)
    teacher_BC = nn.functional.log_softmax(teacher.logits.detach() / temperature, dim=-1)
    # Gradients shrink with 1 / temperature**2; the square keeps the term in step with the hard labels. It stands at the
    # teacher, where no gradient has to pass through it.
    scaled_BC = teacher_BC.exp() * temperature**2
    return (scaled_BC * (teacher_BC - student_BC)).sum(dim=-1)
