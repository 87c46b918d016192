"""Rows of the data as an exported student takes them: its features found among the data's columns by their names.

Shape letters: B = batch, D = values of a row, F = values that a student takes.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from teachers import Inputs, LoadedModel, Outputs, TeacherModel
from teachers.digests import record_digest
from trials.description import read_description


def columns_by_name(folder: Path, feature_names: Sequence[str] | None) -> tuple[int, ...] | None:
    """Find the features of an exported student in the data.

    Args:
        folder: Of the student.
        feature_names: Of the data, one for each value of a row; None where it has none.

    Returns:
        Positions of the student's features in a row; None where the row is as the student takes it, as a text is, or
        one of both has no names, so that their order must count.

    Raises:
        ValueError: The data lacks a feature.
    """
    description = read_description(folder)
    names = description.get("feature_names")
    if names is None or feature_names is None or description.get("tokenizer") is not None:
        return None
    assert isinstance(names, list)
    wanted, there = [str(name).strip() for name in names], [name.strip() for name in feature_names]
    if missing := [name for name in wanted if name not in there]:
        raise ValueError(
            f"it takes features that the data does not have: {', '.join(missing)}; it takes {', '.join(wanted)}, the "
            f"data has {', '.join(there)}; name the columns as in its training"
        )
    return None if wanted == there else tuple(there.index(name) for name in wanted)


def with_columns(loaded: LoadedModel, columns: Sequence[int]) -> LoadedModel:
    """Let a graph take rows of the data.

    Args:
        loaded: Takes rows of its own features.
        columns: Positions of these in a row of the data.
    """
    digest = record_digest([loaded.digest, "columns", list(columns)])
    return LoadedModel(model=PickedModel(loaded.model, columns), digest=digest)


class PickColumns:
    """Hands a module those values of a row that it takes; to be registered as a hook before its forward pass."""

    def __init__(self, columns: Sequence[int]) -> None:
        """Keep the positions (F,)."""
        self._columns = torch.tensor(list(columns))

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pick (B, F) out of (B, D)."""
        del module
        (rows_BD, *others) = inputs
        return rows_BD[:, self._columns.to(rows_BD.device)], *others


class PickedModel:
    """A teacher's model that is handed those values of a row that it takes."""

    def __init__(self, model: TeacherModel, columns: Sequence[int]) -> None:
        """Keep both.

        Args:
            model: Takes (B, F).
            columns: Positions of these values in a row (F,).
        """
        self._model = model
        self._columns = list(columns)

    @property
    def copies_held(self) -> int:
        """Of the model within."""
        return int(getattr(self._model, "copies_held", 1))

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch (B, D)."""
        assert not isinstance(inputs, list), "texts have no columns"
        return self._model(inputs[:, self._columns], features)

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        resolved: str = self._model.feature_id(name)  # type: ignore[attr-defined] # of every model that is loaded
        return resolved
