"""Each teacher is compared with the student, then the losses are averaged.

Shape letters: K = teachers, B = batch, C = classes; k = teachers of one label group.
"""

from dataclasses import replace

from torch import Tensor

from teachers import Outputs, TeacherEnsemble
from trials.losses import Loss


def mean_of_losses(
    loss: Loss,
    student: Outputs,
    teachers: Outputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
    ensemble: TeacherEnsemble,
) -> Tensor:
    """Weighted sum of the losses, Σ_k w_k loss_k (AVER, as You et al., 2017, and many since).

    A teacher that knows only some classes is compared with the student on those alone: their logits, renormalised.
    This is the only aggregation that takes teachers of different classes.
    """
    del temperature
    parts = []
    for group in ensemble.groups:
        narrowed = replace(student, logits=group.student_logits(student.logits))
        logits_kBC = group.teacher_logits(teachers.logits)
        loss_kB = loss(narrowed, replace(teachers, logits=logits_kBC), group.labels(label_B))
        weights_kB = weights_KB if len(group.teachers) == len(ensemble) else weights_KB[list(group.teachers)]
        parts.append((weights_kB * loss_kB).sum(dim=0))
    return parts[0] if len(parts) == 1 else sum(parts[1:], start=parts[0])
