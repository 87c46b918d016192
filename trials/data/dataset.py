"""The data of a search, whatever it was read from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from teachers import MISSING_LABEL, Batch
from trials.data.augmentation import Augmentation
from trials.tokenization import PADDING

SPLITS = ("train", "validation", "test")

ANSWERS_AT_A_TIME = 2**24
"""Numbers that a model may answer with at a time: 64 MB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Rows with labels, split three ways.

    Teachers that are trained first see every label; students see a training row's label only where ``labelled`` says
    so. Validation chooses, test reports.

    Args:
        inputs: Raw inputs, one row each: images (N, C, H, W) uint8 or float32, vectors (N, D) float32, texts, or ids of
            tokens (N, T).
        labels: Class of each row (N,), int64; ``MISSING_LABEL`` where nobody knows it. Of rows of tokens the next token
            at each position (N, T).
        class_names: Name of each class, in the order of their numbers; empty where labels are tokens.
        splits: Row numbers of ``train``, ``validation`` and ``test``, each int64, without a row in common.
        labelled: Rows whose label a student may see (N,); None means all.
        columns: Further facts of each row (N,), by which teachers can be routed.
        augmentation: How students see other views of training rows; None shows the rows as they are.
        feature_names: Name of each of the D values of a vector, or of the texts' column; None where the data names
            none.
        vocabulary_size: Number of tokens where inputs are their ids; ``PADDING`` fills a row up at its end, and batches
            are as wide as their longest row. None for all else.
        texts: What the ids were read from, as teachers hear it; None where nobody needs it.
        facts: What is known of the token at each position of rows of tokens, by name, each (N, T), integers; of the
            token that comes next, which is the label, under ``next.NAME``.
    """

    inputs: NDArray[np.generic] | list[str]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    splits: Mapping[str, NDArray[np.int64]]
    labelled: NDArray[np.bool_] | None = None
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    augmentation: Augmentation | None = None
    feature_names: tuple[str, ...] | None = None
    vocabulary_size: int | None = None
    texts: list[str] | None = None
    facts: Mapping[str, NDArray[np.signedinteger]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reject rows that do not match, classes out of range and splits that overlap.

        Raises:
            ValueError: Something does not fit together; the message says what.
        """
        num_rows = len(self.inputs)
        lengths = {"labels": self.labels, **self.columns, **self.facts} | (
            {} if self.labelled is None else {"labelled": self.labelled}
        )
        for name, column in lengths.items():
            if len(column) != num_rows:
                raise ValueError(f"{name} has {len(column)} rows, the inputs have {num_rows}")
        known = self.labels[self.labels != MISSING_LABEL]
        if known.size and (known.min() < 0 or known.max() >= self.num_classes):
            raise ValueError(
                f"labels run from {known.min()} to {known.max()}, but there are {self.num_classes} classes"
            )
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits must be {', '.join(SPLITS)}, got {', '.join(sorted(self.splits))}")
        for name, rows in self.splits.items():
            if not len(rows):
                raise ValueError(f"the {name} split is empty")
        if self.augmentation is not None:
            self.augmentation.check(self.inputs)
        rows = np.concatenate([self.splits[name] for name in SPLITS])
        if len(np.unique(rows)) < len(rows) or rows.min() < 0 or rows.max() >= num_rows:
            raise ValueError("splits must not share a row, nor name one that the data does not have")

    def __len__(self) -> int:
        """Count the rows, N."""
        return len(self.inputs)

    @property
    def num_classes(self) -> int:
        """Number of classes, C, or of tokens where these are the labels."""
        return self.vocabulary_size if self.of_tokens and self.vocabulary_size else len(self.class_names)

    @property
    def of_tokens(self) -> bool:
        """Whether every position of a row has a label of its own."""
        return self.labels.ndim > 1

    def rows_at_a_time(self, most: int = 256) -> int:
        """Say of how many rows all answers fit into memory together: ``most``, or fewer where labels are tokens."""
        return max(1, min(most, ANSWERS_AT_A_TIME // (int(np.prod(self.labels.shape[1:])) * max(1, self.num_classes))))

    @cached_property
    def num_tokens(self) -> NDArray[np.int64]:
        """Tokens of each row up to its padding (N,), of a data set of token ids."""
        assert self.vocabulary_size is not None and isinstance(self.inputs, np.ndarray)
        filled_NT = self.inputs != PADDING
        width = self.inputs.shape[1]
        # The last token that is no padding: one within a text counts.
        lengths: NDArray[np.int64] = np.where(filled_NT.any(axis=1), width - filled_NT[:, ::-1].argmax(axis=1), 0)
        return lengths

    @property
    def student_labels(self) -> NDArray[np.int64]:
        """Labels as a student sees them (N, ...): ``MISSING_LABEL`` where it may not."""
        if self.labelled is None:
            return self.labels
        return np.where(self.labelled, self.labels, MISSING_LABEL)

    def training_view(self, epoch: int) -> int:
        """Say in which view students see training rows in an epoch, counted from 0; 0 without augmentation."""
        return 0 if self.augmentation is None else self.augmentation.view_in(epoch)

    def batch(self, rows: NDArray[np.int64], labels: NDArray[np.int64] | None = None, *, view: int = 0) -> Batch:
        """Gather some rows; always a copy, so that nobody writes into memory that others read.

        Args:
            rows: Row numbers (B,).
            labels: Labels of all rows to use instead of the true ones, as ``student_labels``.
            view: Number of the augmented view; 0 gives the rows as they are.
        """
        labels = self.labels if labels is None else labels
        if isinstance(self.inputs, list):
            inputs: torch.Tensor | list[str] = [self.inputs[row] for row in rows]
        elif self.vocabulary_size is not None:
            # Rows of tokens stay whole: answers of teachers are kept position by position.
            width = self.inputs.shape[1] if self.of_tokens else max(1, int(self.num_tokens[rows].max(initial=0)))
            inputs = torch.from_numpy(self.inputs[rows, :width].astype(np.int64))
        else:
            raw = self.inputs[rows]
            if view:
                assert self.augmentation is not None, f"view {view} without an augmentation"
                raw = self.augmentation(raw, rows=rows, view=view)
            inputs = torch.from_numpy(raw)
        return Batch(
            index=torch.from_numpy(rows),
            inputs=inputs,
            labels=torch.from_numpy(labels[rows]),
            view=view,
            facts={name: torch.from_numpy(values[rows]) for name, values in self.facts.items()},
        )

    def batches(self, rows: NDArray[np.int64], *, batch_size: int) -> Iterator[Batch]:
        """Go through some rows, with true labels: in their order, or by length where they are token ids.

        Rows of one length are hardly padded, which saves most of the time that a model takes for short texts.
        """
        if self.vocabulary_size is not None and not self.of_tokens:
            rows = rows[np.argsort(self.num_tokens[rows], kind="stable")]
        for start in range(0, len(rows), batch_size):
            yield self.batch(rows[start : start + batch_size])
