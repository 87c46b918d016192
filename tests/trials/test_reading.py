"""How students read texts: each its own part of the vocabulary and of the text."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from search_spaces import SPACES, StudentSpec, TensorSpec
from teachers import Coverage, TeacherEnsemble, TeacherOutputs
from tests.trials.text_trials import NARROW, SPEC, text_data, text_setting
from trials import reading
from trials.data import READERS, split
from trials.heads import check_foldable
from trials.reading import Reading
from trials.recipe import LossTerm, Recipe
from trials.records import LatencySettings, Trial
from trials.setting import Setting
from trials.tasks import Classification
from trials.tokenization import PADDING


@pytest.fixture(scope="module")
def setting() -> Setting:
    return text_setting()


def test_a_student_sees_its_own_part_of_vocabulary_and_text(setting: Setting) -> None:
    wide, narrow = setting.dataset_of(SPEC), setting.dataset_of(NARROW)
    assert (wide.vocabulary_size, narrow.vocabulary_size) == (320, 270)
    assert wide.inputs.max() == 319 and narrow.inputs.max() < 270  # type: ignore[union-attr]
    assert narrow.inputs.shape == (240, 8)  # type: ignore[union-attr]
    assert wide.texts is setting.dataset.inputs
    signature = setting.signature_of(NARROW)
    assert signature.inputs == (TensorSpec(name="input_ids", shape=(None,), dtype="int64"),)
    assert signature.outputs == (TensorSpec(name="logits", shape=(3,)),)
    assert signature.vocabulary_size == 270
    assert setting.task.signature(narrow) == signature


def test_texts_are_read_once_a_process_whatever_setting_asks(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    first = setting.dataset_of(SPEC)
    other = pickle.loads(pickle.dumps(setting))
    monkeypatch.setattr(reading.Tokenizer, "encode", None)
    assert other.dataset_of(SPEC).inputs is first.inputs
    fewer = {**setting.dataset.splits, "train": setting.dataset.splits["train"][:5]}
    again = replace(setting, dataset=replace(setting.dataset, splits=fewer)).dataset_of(SPEC)
    assert again.inputs is first.inputs and len(again.splits["train"]) == 5


def test_few_readings_are_kept(setting: Setting) -> None:
    for length in range(1, 2 * reading.MOST_READ):
        Reading(tokenizer=setting.reading.tokenizer, length=length).read(setting.dataset)  # type: ignore[union-attr]
    assert len(reading._read) == reading.MOST_READ


def test_a_space_without_such_choices_reads_as_the_setting_says(setting: Setting) -> None:
    spec = StudentSpec(space="own", values={})
    read = setting.reading_of(spec)
    assert read == setting.reading
    assert setting.timed_signature_of(spec).inputs[0].shape == (128,)


def test_more_tokens_than_the_texts_gave_are_all_that_there_are(setting: Setting) -> None:
    read = setting.reading_of(StudentSpec(space="own", values={"vocabulary_size": 16384}))
    assert read is not None and read.tokenizer.vocabulary_size == 320


def test_latency_is_of_the_students_length_or_of_the_one_that_is_asked(setting: Setting) -> None:
    assert setting.timed_signature_of(NARROW).inputs[0].shape == (8,)
    asked = replace(setting, latency=LatencySettings(length=21))
    assert asked.timed_signature_of(NARROW).inputs[0].shape == (21,)


def test_numbers_are_seen_as_they_are() -> None:
    dataset = split(READERS["sklearn"](name="iris"), validation=0.2, test=0.2, seed=0)
    task = Classification.for_dataset(dataset)
    setting = Setting(space=None, dataset=dataset, task=task, statistics=None)  # type: ignore[arg-type]
    assert setting.dataset_of(SPEC) is dataset
    assert setting.reading_of(SPEC) is None
    assert setting.signature_of(SPEC) == setting.timed_signature_of(SPEC) == task.signature(dataset)


def test_batches_are_as_wide_as_their_longest_row(setting: Setting) -> None:
    dataset = setting.dataset_of(SPEC)
    rows = np.argsort(dataset.num_tokens, kind="stable")[:5]
    batch = dataset.batch(rows)
    assert batch.inputs.shape == (5, dataset.num_tokens[rows].max()) and batch.inputs.dtype == torch.int64  # type: ignore[union-attr]
    assert (batch.inputs[-1] != PADDING).all()  # type: ignore[union-attr]
    read = setting.reading_of(SPEC)
    assert read is not None
    decoded = [read.tokenizer.decode(ids) for ids in batch.inputs.tolist()]  # type: ignore[union-attr]
    assert decoded == [setting.dataset.inputs[row] for row in rows]
    empty = replace(dataset, inputs=np.zeros_like(dataset.inputs))
    assert empty.batch(rows).inputs.shape == (5, 1)  # type: ignore[union-attr]


def test_rows_are_judged_by_length_each_once(setting: Setting) -> None:
    dataset = setting.dataset_of(SPEC)
    rows = dataset.splits["validation"]
    batches = list(dataset.batches(rows, batch_size=16))
    widths = [batch.inputs.shape[1] for batch in batches]  # type: ignore[union-attr]
    assert widths == sorted(widths) and widths[0] < widths[-1]
    index = torch.cat([batch.index for batch in batches])
    assert sorted(index.tolist()) == sorted(rows.tolist())
    assert all((batch.labels.numpy() == dataset.labels[batch.index]).all() for batch in batches)


def test_teachers_hear_texts_where_students_see_ids(setting: Setting) -> None:
    heard: list[str] = []

    def hear(batch, features=()):  # type: ignore[no-untyped-def]
        heard.extend(batch.inputs)
        return TeacherOutputs(logits=torch.zeros(1, len(batch.index), 3))

    data = text_data()
    ensemble = TeacherEnsemble({"t": Coverage()}, num_classes=3, num_rows=len(data), columns={})
    recipe = Recipe(losses=(LossTerm(name="kd", weight=1.0),), epochs=1, batch_size=8, learning_rate=0.01)
    trial = Trial(number=0, spec=SPEC, recipe=recipe, seed=0)
    lesson = replace(setting, ensemble=ensemble, teachers=hear).lesson(trial)
    rows = data.splits["train"][:4]
    lesson.hear(lesson.dataset.batch(rows), ())
    assert heard == [data.inputs[row] for row in rows]


def test_varying_sizes_are_given_one_value_and_fixed_ones_stay(setting: Setting) -> None:
    sized = setting.signature_of(SPEC).sized(5)
    assert sized.inputs[0].shape == (5,) and sized.vocabulary_size == 320
    with pytest.raises(ValueError, match=r"takes images or vectors, and texts come as token ids .* such as encoder"):
        sized.sole_input_shape  # noqa: B018 # read for its error


def test_heads_of_students_of_texts_can_be_tried_out(setting: Setting) -> None:
    space = SPACES["encoder"]()
    spec = space.spec({"vocabulary_size": 1024, "length": 32, "layers": 0, "width": 16, "dropout": 0.0})
    check_foldable(space, spec, setting.signature_of(spec))
