"""The teachers' probabilities are averaged, then compared with the student.

Shape letters: K = teachers, B = batch, C = classes.
"""

from dataclasses import replace

from torch import Tensor

from teachers import Outputs, TeacherEnsemble
from trials.losses import Loss


def mean_of_probabilities(
    loss: Loss,
    student: Outputs,
    teachers: Outputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
    ensemble: TeacherEnsemble,
) -> Tensor:
    """Loss against the mean prediction, loss(Σ_k w_k p_k) (``output_avg`` of Zuchniak, 2023).

    https://arxiv.org/abs/2302.07215

    Weights are scaled to add up to 1 on each sample, since probabilities must. The loss divides logits by its
    temperature, so it is given T · log of the mean of the probabilities at T.
    """
    del ensemble
    weights_KB = weights_KB / weights_KB.sum(dim=0).clamp(min=1e-12)
    mean_BC = (weights_KB[..., None] * (teachers.logits / temperature).softmax(dim=-1)).sum(dim=0)
    # Below the smallest probability that matters in float32; where no teacher votes, the row is dropped at the end.
    mean = replace(teachers, logits=mean_BC.clamp(min=1e-30).log() * temperature)
    return loss(student, mean, label_B) * (weights_KB.sum(dim=0) > 0)
