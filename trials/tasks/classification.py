"""Classification: one class a row.

Shape letters: B = batch, C = classes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from search_spaces import ModelSignature, TensorSpec
from teachers import MISSING_LABEL, Batch, Outputs
from trials.data import Dataset
from trials.tasks.task import Metric, Predictor


@dataclass(frozen=True)
class Classification:
    """Which of C classes a row belongs to.

    Args:
        class_names: In the order of the labels.
    """

    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Reject fewer than two classes, and one name twice."""
        if len(self.class_names) < 2 or len(set(self.class_names)) < len(self.class_names):
            names = ", ".join(map(repr, self.class_names))
            got = {0: "none", 1: f"one: {names}"}.get(len(self.class_names), names)
            raise ValueError(f"a classification needs at least two classes of different names, got {got}")

    @classmethod
    def for_dataset(cls, dataset: Dataset) -> Self:
        """Make the task of telling a data set's classes apart."""
        return cls(dataset.class_names)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy first, then the same with classes counted equally, then the calibrated one.

        ``chance`` is that of even guessing, 1 / C. The share of the largest class would be higher where classes are
        uneven, but it depends on the split, and the floor of a hypervolume must not move with the rows.
        """
        chance = 1 / len(self.class_names)
        return (
            Metric(name="accuracy", higher_is_better=True, chance=chance, best=1.0, worst=0.0),
            Metric(name="balanced_accuracy", higher_is_better=True, chance=chance, best=1.0, worst=0.0),
            Metric(name="macro_f1", higher_is_better=True, chance=chance, best=1.0, worst=0.0),
            Metric(name="cross_entropy", higher_is_better=False, chance=-math.log(chance), best=0.0),
        )

    def signature(self, dataset: Dataset) -> ModelSignature:
        """Take one raw row as ``input``, or token ids of any number as ``input_ids``; give ``logits`` (C,)."""
        assert not isinstance(dataset.inputs, list), "students see texts as token ids"
        row = TensorSpec(name="input", shape=dataset.inputs.shape[1:], dtype=dataset.inputs.dtype.name)
        if dataset.vocabulary_size is not None:
            row = TensorSpec(name="input_ids", shape=(None,), dtype="int64")
        return ModelSignature(
            inputs=(row,),
            outputs=(TensorSpec(name="logits", shape=(len(self.class_names),)),),
            vocabulary_size=dataset.vocabulary_size,
        )

    def hard_label_loss(self, student: Outputs, labels: Tensor) -> Tensor:
        """Cross entropy."""
        return functional.cross_entropy(student.logits, labels, ignore_index=MISSING_LABEL, reduction="none")

    def evaluate(self, predict: Predictor, batches: Iterable[Batch]) -> dict[str, float]:
        """Count right answers; rows without a label are left out.

        Means over classes run over those that occur: in ``balanced_accuracy`` as labels, in ``macro_f1`` as labels or
        answers. If the model gives NaN for any row, all metrics are NaN: an argmax would pass it off as an answer.

        Returns:
            The metrics, then ``accuracy.NAME`` for each class that occurs: the share of its rows that are found.

        Raises:
            ValueError: No row has a label, or the model's output does not have C columns.
        """
        num_classes = len(self.class_names)
        counts_CC = np.zeros((num_classes, num_classes), dtype=np.int64)  # true class by answer
        cross_entropy = 0.0
        for batch in batches:
            label_B = batch.labels.numpy()
            logits_BC = np.asarray(predict(batch.inputs), dtype=np.float64)
            if logits_BC.shape != (len(label_B), num_classes):
                raise ValueError(
                    f"expected logits of shape {(len(label_B), num_classes)} for the {num_classes} classes, "
                    f"the model gives {logits_BC.shape}"
                )
            known_B = label_B != MISSING_LABEL
            label_B, logits_BC = label_B[known_B], logits_BC[known_B]
            np.add.at(counts_CC, (label_B, logits_BC.argmax(axis=1)), 1)
            cross_entropy += float(_cross_entropy(logits_BC, label_B).sum())
        if not counts_CC.any():
            raise ValueError("no row has a label, so nothing can be judged; expected at least one labelled row")
        return self._scores(counts_CC, cross_entropy)

    def _scores(self, counts_CC: NDArray[np.int64], cross_entropy: float) -> dict[str, float]:
        right_C = np.diag(counts_CC)
        rows_C, answers_C = counts_CC.sum(axis=1), counts_CC.sum(axis=0)
        recall_C = right_C / np.maximum(rows_C, 1)
        f1_C = 2 * right_C / np.maximum(rows_C + answers_C, 1)
        scores = {
            "accuracy": float(right_C.sum() / rows_C.sum()),
            "balanced_accuracy": float(recall_C[rows_C > 0].mean()),
            "macro_f1": float(f1_C[rows_C + answers_C > 0].mean()),
            "cross_entropy": cross_entropy / float(rows_C.sum()),
        }
        classes = np.flatnonzero(rows_C)
        scores |= {f"accuracy.{self.class_names[c]}": float(recall_C[c]) for c in classes}
        return dict.fromkeys(scores, math.nan) if math.isnan(cross_entropy) else scores


def _cross_entropy(logits_BC: NDArray[np.float64], label_B: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative logarithm of the probability of the true class (B,); NaN where any logit is NaN or +infinity."""
    with np.errstate(invalid="ignore", over="ignore"):  # infinity minus infinity: the NaN is wanted
        shifted_BC = logits_BC - logits_BC.max(axis=1, keepdims=True, initial=-np.inf)
        true_B = shifted_BC[np.arange(len(label_B)), label_B]
        loss_B: NDArray[np.float64] = np.log(np.exp(shifted_BC).sum(axis=1)) - true_B
    return loss_B
