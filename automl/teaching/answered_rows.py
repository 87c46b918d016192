"""Rows of the data that a file of completions has answers for: what such a teacher covers."""

from dataclasses import replace
from typing import Literal

import numpy as np

from automl.config import CompletionsTeacher
from teachers import LOADERS, Coverage
from teachers.loading.answered import AnsweredModel
from trials.data import Dataset


def reads_of(dataset: Dataset) -> Literal["texts", "images", "tokens"]:
    """Say what a row is to a teacher: a text or an image to be classified, or token ids of a language model."""
    if isinstance(dataset.inputs, list):
        return "texts"
    return "tokens" if dataset.inputs.dtype.kind == "i" and dataset.labels.ndim > 1 else "images"


def keys_of(dataset: Dataset, by: str) -> list[str] | None:
    """Give what each row is called in a column; None where the data have none of this name."""
    return [str(value) for value in dataset.columns[by].tolist()] if by in dataset.columns else None


def with_answered(teacher: CompletionsTeacher, dataset: Dataset, coverage: Coverage) -> tuple[Dataset, Coverage]:
    """Narrow what a file of completions covers to the rows that it has answers for.

    Args:
        teacher: As the config has it.
        dataset: To be classified.
        coverage: As the config says.

    Returns:
        The data with a column that tells which rows these are, and the coverage by this column.

    Raises:
        ValueError: The file cannot be read, or has no answer for a covered row.
    """
    loaded = LOADERS["completions"](
        path=teacher.path,
        by=teacher.by,
        smoothing=teacher.smoothing,
        reads=reads_of(dataset),
        inputs=dataset.inputs,
        keys=keys_of(dataset, teacher.by),
        class_names=dataset.class_names,
        labels=coverage.labels,
    )
    assert isinstance(loaded.model, AnsweredModel)
    covered = coverage.rows(len(dataset), dataset.columns) & loaded.model.answers.known(dataset.inputs)
    if not covered.any():
        raise ValueError(f"{teacher.path} has no answer for any of the rows that `covers` names")
    column = f"answered by {teacher.name}"
    columns = {**dataset.columns, column: np.where(covered, "yes", "no")}
    return replace(dataset, columns=columns), replace(coverage, column=column, values=("yes",))
