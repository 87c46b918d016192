"""What an aggregation of teachers is.

Shape letters: K = teachers, B = batch, C = classes.
"""

from typing import Protocol

from torch import Tensor

from teachers import Outputs, TeacherEnsemble
from trials.losses import Loss


class Aggregation(Protocol):
    """How several teachers become one loss a sample."""

    def __call__(
        self,
        loss: Loss,
        student: Outputs,
        teachers: Outputs,
        label_B: Tensor,
        *,
        weights_KB: Tensor,
        temperature: float,
        ensemble: TeacherEnsemble,
    ) -> Tensor:
        """Compare the student with all teachers that vote.

        Args:
            loss: Compares a student with a teacher, or with several stacked in front.
            student: ``logits`` (B, C).
            teachers: ``logits`` (K, B, C).
            label_B: True classes, ``MISSING_LABEL`` where unknown.
            weights_KB: From a weighting; 0 where a teacher does not vote.
            temperature: Of the loss; probabilities are averaged at this temperature.
            ensemble: Who knows which classes.

        Returns:
            ``loss_B``; 0 where no teacher votes.
        """
        ...
