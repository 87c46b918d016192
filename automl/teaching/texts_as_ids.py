"""Teachers that are students of texts: each reads raw texts by its own tokenizer."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from teachers import Inputs, LoadedModel, Outputs, TeacherModel
from teachers.digests import RawRows, record_digest, rows_digest
from trials.description import read_description
from trials.reading import Reading
from trials.tokenization import PADDING, Tokenizer, read_tokenizer


def reading_of(folder: Path, rows: RawRows, of_tokens: Tokenizer | None = None) -> Reading | None:
    """Say how an exported student reads texts; None where it takes numbers.

    Args:
        folder: Of the student.
        rows: Raw inputs of the data.
        of_tokens: Tokenizer of the data, where its rows are token ids of a language model.

    Raises:
        ValueError: It takes texts and the data has none, or the other way round; or its tokenizer cannot be read.
    """
    description = read_description(folder)
    record = description.get("tokenizer")
    if of_tokens is not None:
        _require_same(folder, record, of_tokens)
        return None
    if (record is None) == isinstance(rows, list):
        takes, has = ("numbers", "texts") if record is None else ("texts", "numbers")
        raise ValueError(f"{folder} holds a student that takes {takes}, and the data has {has}; take another teacher")
    if record is None:
        return None
    assert isinstance(record, dict)
    return Reading(tokenizer=read_tokenizer(folder), length=int(record["length"]))


def _require_same(folder: Path, record: object, of_tokens: Tokenizer) -> None:
    """Make sure that a student of tokens knows them by the data's numbers."""
    if not isinstance(record, dict) or read_tokenizer(folder).definition != of_tokens.definition:
        raise ValueError(
            f"{folder} holds a student that does not read by the data's tokenizer; a language model's teachers among "
            "earlier students do: write its tokenizer.json as tokenizer.path"
        )


def ids_of(texts: list[str], reading: Reading) -> Tensor:
    """Turn texts into token ids, as long as the longest."""
    return torch.from_numpy(reading.tokenizer.encode(texts, length=reading.length))


def with_reading(loaded: LoadedModel, reading: Reading) -> LoadedModel:
    """Let a model of token ids take texts."""
    parts = [loaded.digest, "reads", rows_digest([reading.tokenizer.definition]), reading.length]
    return LoadedModel(model=ReadingModel(loaded.model, reading), digest=record_digest(parts))


class ReadingModel:
    """A teacher's model that is handed token ids for texts."""

    def __init__(self, model: TeacherModel, reading: Reading) -> None:
        """Keep both.

        Args:
            model: Takes ids (B, T).
            reading: How texts become such.
        """
        self._model = model
        self._reading = reading

    @property
    def copies_held(self) -> int:
        """Of the model within."""
        return int(getattr(self._model, "copies_held", 1))

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch of texts."""
        assert isinstance(inputs, list), "a student of texts is asked about texts"
        ids_BT = ids_of(inputs, self._reading)
        if features:  # A cache keeps those of all rows in one shape.
            missing = self._reading.length - ids_BT.shape[1]
            ids_BT = torch.from_numpy(np.pad(ids_BT.numpy(), ((0, 0), (0, missing)), constant_values=PADDING))
        return self._model(ids_BT, features)

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        resolved: str = self._model.feature_id(name)  # type: ignore[attr-defined] # of every model that is loaded
        return resolved
