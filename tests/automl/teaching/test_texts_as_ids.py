"""Students of texts as teachers: each reads by its own tokenizer, features in one shape."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from automl.teaching.texts_as_ids import reading_of, with_reading
from teachers import LoadedModel, Outputs
from tests.trials.text_trials import NARROW, SPEC, text_setting
from trials.description import DESCRIPTION_FILE, FORMAT, FORMAT_VERSION, TOKENIZER_FILE

SETTING = text_setting()
TEXTS = ["waves and salt", "oak", "der alte Turm"]


class Echo:
    """Says which ids it was handed."""

    copies_held = 2

    def __call__(self, inputs, features=()):  # type: ignore[no-untyped-def]
        return Outputs(logits=inputs.float(), features=dict.fromkeys(features, inputs))

    def feature_id(self, name: str) -> str:
        return f"body.{name}"


def test_each_reads_by_its_own_tokenizer() -> None:
    answers = []
    for spec in (SPEC, NARROW):
        reading = SETTING.reading_of(spec)
        assert reading is not None
        model = with_reading(LoadedModel(model=Echo(), digest="a"), reading).model
        answers.append(model(TEXTS).logits)
        assert (answers[-1].numpy() == reading.tokenizer.encode(TEXTS, length=reading.length)).all()
    assert answers[1].shape[1] <= 8 and answers[1].max() < 270


def test_features_of_all_batches_have_one_shape() -> None:
    reading = SETTING.reading_of(SPEC)
    assert reading is not None
    model = with_reading(LoadedModel(model=Echo(), digest="a"), reading).model
    seen = [model(texts, ("last",)).features["last"].shape for texts in (TEXTS, TEXTS[:1])]
    assert seen == [(3, 40), (1, 40)]
    assert model.feature_id("last") == "body.last"  # type: ignore[attr-defined]
    assert model.copies_held == 2  # type: ignore[attr-defined]


def test_the_tokenizer_is_a_part_of_the_name() -> None:
    loaded = LoadedModel(model=Echo(), digest="a")
    digests = {with_reading(loaded, SETTING.reading_of(spec)).digest for spec in (SPEC, NARROW)}  # type: ignore[arg-type]
    assert len(digests | {"a"}) == 3


def folder_of(folder: Path, **more: object) -> Path:
    description = {"format": FORMAT, "version": FORMAT_VERSION, **more}
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description))
    return folder


def test_what_a_student_takes_is_held_against_the_data(tmp_path: Path) -> None:
    numbers = np.zeros((3, 4), np.float32)
    folder = folder_of(tmp_path)
    assert reading_of(folder, numbers) is None
    with pytest.raises(ValueError, match="takes numbers, and the data has texts"):
        reading_of(folder, TEXTS)
    reading = SETTING.reading_of(SPEC)
    assert reading is not None
    (folder / TOKENIZER_FILE).write_text(reading.tokenizer.definition)
    folder_of(tmp_path, tokenizer={"file": TOKENIZER_FILE, "length": 40, "padding": 0})
    assert reading_of(folder, TEXTS) == reading
    with pytest.raises(ValueError, match="takes texts, and the data has numbers"):
        reading_of(folder, numbers)


def test_ids_are_whole_numbers() -> None:
    from automl.teaching.texts_as_ids import ids_of

    reading = SETTING.reading_of(SPEC)
    assert reading is not None
    assert ids_of(TEXTS, reading).dtype == torch.int64
