"""The teachers' logits are averaged, then compared with the student.

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
def mean_of_logits(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
) -> Tensor:
    """Loss against the mean of the logits, loss(Σ_k w_k z_k): a geometric mean of the predictions.

    Weights are scaled to add up to 1 on each sample.
    """
    del temperature
    heard_B = weights_KB.sum(dim=0) > 0
    weights_KB = weights_KB / weights_KB.sum(dim=0).clamp(min=1e-12)
    average_BC = (weights_KB[..., None] * teachers.logits).sum(dim=0)
    return against_average(comparisons, student, average_BC, label_B, heard_B)
