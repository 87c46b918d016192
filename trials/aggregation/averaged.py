"""What the aggregations share that average what teachers say before they compare.

Shape letters: B = batch, C = classes.
"""

from collections.abc import Sequence

from torch import Tensor

from teachers import Outputs
from trials.aggregation.comparison import Comparison, nothing_taught
from trials.losses import is_batch_statistic


def against_average(
    comparisons: Sequence[Comparison], student: Outputs, average_BC: Tensor, label_B: Tensor, heard_B: Tensor
) -> Tensor:
    """Compare the student with one answer that stands for all teachers.

    Args:
        comparisons: One, of teachers that all know all classes.
        student: ``logits`` (B, C).
        average_BC: Logits that stand for all teachers.
        label_B: True classes, ``MISSING_LABEL`` where unknown.
        heard_B: Rows on which any teacher votes.

    Returns:
        ``loss_B``; 0 on rows that are not heard.
    """
    (comparison,) = comparisons
    if not is_batch_statistic(comparison.loss):
        return comparison.loss(student, Outputs(logits=average_BC), label_B) * heard_B
    if not bool(heard_B.any()):
        return nothing_taught(student.logits, num_rows=len(label_B))
    rows = heard_B.nonzero().squeeze(-1)
    value = comparison.loss(Outputs(logits=student.logits[rows]), Outputs(logits=average_BC[rows]), label_B[rows])
    return value * heard_B
