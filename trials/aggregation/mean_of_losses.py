"""Each teacher is compared with the student, then the losses are averaged.

Shape letters: K = teachers, B = batch.
"""

from collections.abc import Sequence

from torch import Tensor

from teachers import Outputs, TeacherOutputs
from trials.aggregation.comparison import Comparison, weighted_losses


def mean_of_losses(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
) -> Tensor:
    """Weighted sum of the losses, Σ_k w_k loss_k (AVER, as You et al., 2017, and many since).

    A teacher that knows only some classes is compared with the student on those alone: their logits, renormalised. With
    the loss ``kd`` this is, up to a constant, the loss for teachers of overlapping classes of UHC (Vongkulbhisal et
    al., 2019, https://arxiv.org/abs/1904.09048, equation 4).
    """
    del temperature
    return weighted_losses(comparisons, student, teachers, label_B, weights_KB).sum(dim=0)
