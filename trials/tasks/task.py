"""What a task is: the loss against true labels, the metrics, and what a model's head looks like."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from search_spaces import ModelSignature
from teachers import Batch, Inputs, Outputs
from trials.data import Dataset

Predictor = Callable[[Inputs], NDArray[np.float32]]
"""A model as the task judges it: raw inputs of a batch in, its first output out, whatever runs it."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that a task gives a model.

    Args:
        name: As it stands in the config, the study and MLflow.
        higher_is_better: Its direction.
        chance: What a model that knows nothing reaches: the floor of the hypervolume.
        best: What no model can exceed.
        worst: The other end of what it can be; None where there is none.
    """

    name: str
    higher_is_better: bool
    chance: float
    best: float
    worst: float | None = None


class Task(Protocol):
    """Where classification, language modelling and image generation differ."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What ``evaluate`` gives and can be an objective; the first one chooses the best student."""
        ...

    def signature(self, dataset: Dataset) -> ModelSignature:
        """Say what a student takes in and gives out on this data."""
        ...

    def hard_label_loss(self, student: Outputs, labels: Tensor) -> Tensor:
        """Loss against the true labels.

        Args:
            student: Needs ``logits``.
            labels: As in ``Batch``.

        Returns:
            ``loss_B``; 0 where a row has no label.
        """
        ...

    def evaluate(self, predict: Predictor, batches: Iterable[Batch]) -> dict[str, float]:
        """Judge a model.

        Args:
            predict: The model.
            batches: Of one split, with true labels.

        Returns:
            Value by name: those of ``metrics``, then details that cannot be objectives (``accuracy.NAME`` a class).
        """
        ...
