"""The teachers' logits are averaged, then compared with the student.

Shape letters: K = teachers, B = batch, C = classes.
"""

from dataclasses import replace

from torch import Tensor

from teachers import Outputs, TeacherEnsemble
from trials.losses import Loss


def mean_of_logits(
    loss: Loss,
    student: Outputs,
    teachers: Outputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
    ensemble: TeacherEnsemble,
) -> Tensor:
    """Loss against the mean of the logits, loss(Σ_k w_k z_k): a geometric mean of the predictions.

    Weights are scaled to add up to 1 on each sample.
    """
    del temperature, ensemble
    weights_KB = weights_KB / weights_KB.sum(dim=0).clamp(min=1e-12)
    mean = replace(teachers, logits=(weights_KB[..., None] * teachers.logits).sum(dim=0))
    return loss(student, mean, label_B) * (weights_KB.sum(dim=0) > 0)
