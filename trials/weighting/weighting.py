"""What a weighting of teachers is, and what the methods share.

Shape letters: K = teachers, B = batch, C = classes.
"""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn

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


class LearntWeighting(nn.Module, ABC):
    """A weighting with parameters, made for K teachers; its weights carry a gradient, and their loss trains it."""

    needs_labels = True
    """Whether it can do nothing without any label."""

    @abstractmethod
    def __init__(self, num_teachers: int) -> None:
        """Make it for K teachers."""
        del num_teachers
        super().__init__()

    @abstractmethod
    def forward(
        self, logits_KBC: Tensor, label_B: Tensor, *, votes_KB: Tensor, fixed_K: Tensor, ensemble: TeacherEnsemble
    ) -> Tensor:
        """Weigh the teachers; see ``Weighting``."""

    @abstractmethod
    def loss(self, weights_KB: Tensor, logits_KBC: Tensor, label_B: Tensor, ensemble: TeacherEnsemble) -> Tensor:
        """Judge weights by the labels.

        Args:
            weights_KB: That it gave.
            logits_KBC: Of the teachers.
            label_B: True classes, ``MISSING_LABEL`` where unknown.
            ensemble: Who knows which classes.

        Returns:
            A scalar; 0 where no row has a label.
        """


def known_log_probabilities(logits_KBC: Tensor, ensemble: TeacherEnsemble) -> Tensor:
    """Log-softmax of each teacher over the classes that it knows; −inf elsewhere."""
    if all(group.classes is None for group in ensemble.groups):
        return logits_KBC.log_softmax(dim=-1)
    return logits_KBC.masked_fill(~ensemble.known_KC[:, None], -torch.inf).log_softmax(dim=-1)
