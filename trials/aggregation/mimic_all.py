"""The student has a head for each teacher.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Sequence

from torch import Tensor

from teachers import Outputs, TeacherOutputs
from trials.aggregation.aggregation import Traits, with_traits
from trials.aggregation.comparison import Comparison, weighted_losses
from trials.aggregation.requirements import everywhere

HEADS = "heads"
"""Feature of a student that has a head for each teacher: their logits (B, K, C)."""


def _of_each(
    comparisons: Sequence[Comparison], student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor
) -> Tensor:
    heads = Outputs(logits=student.features[HEADS].transpose(0, 1))
    return weighted_losses(comparisons, heads, teachers, label_B, weights_KB)


@with_traits(Traits(requires=(everywhere,), of_each=_of_each, has_heads=True))
def mimic_all(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
) -> Tensor:
    """Each head is compared with its own teacher, Σ_k w_k loss(p_k, head_k) (``mimic_all`` of Zuchniak, 2023).

    https://arxiv.org/abs/2302.07215

    The student predicts the mean of the heads, on which hard labels act. The author averages their probabilities. Here
    their logits are averaged: heads are linear, so that the mean folds into a single head of the same answers, and the
    student that ships is as small and fast as one without heads (see ``trials.heads``).
    """
    del temperature
    return _of_each(comparisons, student, teachers, label_B, weights_KB).sum(dim=0)
