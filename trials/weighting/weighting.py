"""What a weighting of teachers is, and what the methods share.

Shape letters: K = teachers, B = batch, C = classes.
"""

from typing import Protocol

import torch
from torch import Tensor

from teachers import TeacherEnsemble


class Weighting(Protocol):
    """How much each teacher counts on each sample."""

    def __call__(
        self, logits_KBC: Tensor, label_B: Tensor, *, votes_KB: Tensor, fixed_K: Tensor, ensemble: TeacherEnsemble
    ) -> Tensor:
        """Weigh the teachers.

        Args:
            logits_KBC: Of the teachers; columns of classes that a teacher does not know are not read.
            label_B: True classes, ``MISSING_LABEL`` where unknown.
            votes_KB: 1 where a teacher votes, else 0.
            fixed_K: Weights from the recipe, at least 0; only the weighting ``fixed`` reads them.
            ensemble: Who knows which classes.

        Returns:
            ``weights_KB``, at least 0, and 0 where a teacher does not vote. A loss is their weighted sum over K, so
            whatever a paper divides by is divided here.
        """
        ...


def known_log_probabilities(logits_KBC: Tensor, ensemble: TeacherEnsemble) -> Tensor:
    """Log-softmax of each teacher over the classes that it knows; −inf elsewhere."""
    if all(group.classes is None for group in ensemble.groups):
        return logits_KBC.log_softmax(dim=-1)
    return logits_KBC.masked_fill(~ensemble.known_KC[:, None], -torch.inf).log_softmax(dim=-1)
