"""The teachers' probabilities are averaged, then compared with the student.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Sequence

from torch import Tensor

from teachers import Outputs, TeacherOutputs
from trials.aggregation.aggregation import Traits, with_traits
from trials.aggregation.averaged import against_average
from trials.aggregation.comparison import Comparison
from trials.aggregation.requirements import same_classes


@with_traits(Traits(requires=(same_classes,)))
def mean_of_probabilities(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
) -> Tensor:
    """Loss against the mean prediction, loss(Σ_k w_k p_k) (``output_avg`` of Zuchniak, 2023).

    https://arxiv.org/abs/2302.07215

    Weights are scaled to add up to 1 on each sample, since probabilities must. The loss divides logits by its
    temperature, so it is given T · log of the mean of the probabilities at T.
    """
    heard_B = weights_KB.sum(dim=0) > 0
    weights_KB = weights_KB / weights_KB.sum(dim=0).clamp(min=1e-12)
    mean_BC = (weights_KB[..., None] * (teachers.logits / temperature).softmax(dim=-1)).sum(dim=0)
    # Below the smallest probability that matters in float32; where no teacher votes, the row is dropped at the end.
    average_BC = mean_BC.clamp(min=1e-30).log() * temperature
    return against_average(comparisons, student, average_BC, label_B, heard_B)
