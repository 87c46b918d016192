"""What an aggregation of teachers is.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from teachers import Outputs, TeacherOutputs
from trials.aggregation.comparison import Comparison


class Aggregation(Protocol):
    """How several teachers become one loss a sample."""

    def __call__(
        self,
        comparisons: Sequence[Comparison],
        student: Outputs,
        teachers: TeacherOutputs,
        label_B: Tensor,
        *,
        weights_KB: Tensor,
        temperature: float,
    ) -> Tensor:
        """Compare the student with all teachers that vote.

        Args:
            comparisons: The loss, for each group of teachers that know the same classes; one for those that an
                average is taken of.
            student: ``logits`` (B, C).
            teachers: ``logits`` (K, B, C).
            label_B: True classes, ``MISSING_LABEL`` where unknown.
            weights_KB: From a weighting; 0 where a teacher does not vote.
            temperature: Of the loss; probabilities are averaged at this temperature.

        Returns:
            ``loss_B``; 0 where no teacher votes.
        """
        ...
