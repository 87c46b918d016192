"""What a distillation loss is.

Shape letters: B = batch, C = classes; any dimensions may stand in front of B, such as K for stacked teachers.
"""

from typing import Protocol

from torch import Tensor

from teachers import Outputs


class Loss(Protocol):
    """How far a student is from a teacher; options such as ``temperature`` are bound by keyword before."""

    def __call__(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare a student with a teacher, or with several that are stacked in front.

        Args:
            student: ``logits`` (B, C); gradients flow into it.
            teacher: ``logits`` (..., B, C), over the same classes; no gradient flows into it.
            label_B: True classes (B,), int64, ``MISSING_LABEL`` where unknown.

        Returns:
            Loss of each sample (..., B), at least 0, and 0 where both agree.
        """
        ...
