"""Students and teachers that share a tokenizer like that of GPT-2, which has no token for padding."""

import csv
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from automl.check.losses import require_losses
from automl.config import load_config
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.teach import teach
from teachers.padding_first import padding_first
from tests.teachers import tiny_models as tiny
from trials.tokenization import PADDING, read_tokenizer

CONFIG = """
name: words
runs: runs
data: {{kind: table, path: texts.csv, text: said, label: {label}}}
task: {task}
tokenizer: {{path: gpt2}}
student: {{space: {space}}}
recipe: {{epochs: 1, batch_size: 8, learning_rate: 0.01, losses: {losses}}}
{teachers}
objectives: [size_bytes]
search: {{trials: 1}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    chance = np.random.default_rng(0)
    rows = [[" ".join(chance.choice(tiny.WORDS, size)) + "!", str(size % 2)] for size in chance.integers(2, 9, 60)]
    with (tmp_path / "texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["said", "odd"], *rows])
    tiny.byte_gpt2(tmp_path / "gpt2")
    return tmp_path


def ready(folder: Path, **parts: str) -> Prepared:
    (folder / "words.yaml").write_text(CONFIG.format(**parts))
    return prepare(load_config(folder / "words.yaml"))


def test_texts_are_classified(folder: Path) -> None:
    prepared = ready(
        folder,
        label="odd",
        task="{kind: classification}",
        space="encoder, options: {vocabulary_sizes: null, lengths: [32], max_layers: 1}",
        losses="{hard_label: {weight: 1.0}}",
        teachers="",
    )
    spec = prepared.spec({"length": 32, "layers": 0, "width": 16, "dropout": 0.0})
    texts, read = prepared.dataset.inputs, prepared.setting.dataset_of(spec).inputs
    assert isinstance(read, np.ndarray)
    counts = (read != PADDING).sum(axis=1)
    assert all((row[:count] != PADDING).all() for row, count in zip(read, counts, strict=True))  # "!" is no padding.
    assert len(set(counts)) > 2
    reading = prepared.setting.reading
    assert reading is not None
    assert [reading.tokenizer.decode(row) for row in read] == texts
    signature = prepared.setting.signature_of(spec)
    student = prepared.space.build(spec, signature).eval()
    alone = student(torch.from_numpy(read[:1, : counts[0]].astype(np.int64)))
    torch.testing.assert_close(student(torch.from_numpy(read[:1].astype(np.int64))), alone)


def test_a_language_model_hears_a_teacher_of_the_same_tokens(folder: Path, in_process: Any) -> None:
    prepared = ready(
        folder,
        label="null",
        task="{kind: language_modelling, length: 16}",
        space="decoder, options: {lengths: [16]}",
        losses="{hard_label: {weight: 1.0}, forward_kl: {weight: 1.0}}",
        teachers="teachers: [{name: own, kind: transformers, model: gpt2}]",
    )
    require_losses(prepared)
    said: list[str] = []
    with ExitStack() as leases:
        ready_to_teach, place = teach(prepared, Mock(), in_process(), leases=leases, say=said.append)
    assert place is not None and place.packed == (0,)
    assert any(line.startswith("teacher own: everything; bits a byte ") for line in said)
    dataset = ready_to_teach.dataset
    batch = dataset.batch(dataset.splits["train"][:2])
    heard = place.open(dataset).of_tokens(batch).entire().logits[0]
    numbers = padding_first(read_tokenizer(folder / "gpt2").definition).old_numbers(dataset.num_classes)
    own = AutoModelForCausalLM.from_pretrained(folder / "gpt2")
    with torch.no_grad():
        expected = own(torch.from_numpy(numbers[batch.inputs.numpy()])).logits.log_softmax(dim=-1)
    best = heard.argmax(dim=-1)
    assert (torch.from_numpy(numbers)[best] == expected.argmax(dim=-1)).all()
