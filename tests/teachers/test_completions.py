"""Files of what a model wrote, as votes on classes and as texts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from teachers import LOADERS, Generation, Generator, LoadedModel

NAMES = ("cat", "dog")
TEXTS = ["meow", "woof", "moo"]


def write(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in records) + "\n")
    return path


def load(path: Path, **more: Any) -> LoadedModel:
    return LOADERS["completions"](path=path, **{"reads": "texts", "inputs": TEXTS, "class_names": NAMES, **more})


def probabilities(loaded: LoadedModel, texts: list[str] | torch.Tensor = TEXTS) -> list[list[float]]:
    return [[round(float(p), 6) for p in row] for row in loaded.model(texts).logits.softmax(dim=1)]


def test_labels_and_texts_are_hard_votes_and_probabilities_soft_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"prompt": "meow", "label": "cat", "more": 1},
        {"prompt": "woof", "completions": ["A dog.", {"text": "cat"}, "who knows"]},
        "",
        {"prompt": "moo", "probabilities": {"cat": 1, "dog": 3}},
    )
    found = probabilities(load(path, smoothing=0.2))
    assert found == [[0.9, 0.1], [0.5, 0.5], [0.25, 0.75]]


def test_several_lines_about_a_row_are_averaged_and_the_order_is_that_of_the_labels(tmp_path: Path) -> None:
    lines = [{"prompt": "meow", "label": name} for name in ("cat", "cat", "cat", "dog")]
    path = write(tmp_path / "a.jsonl", *lines)
    assert probabilities(load(path, smoothing=0.2, labels=(1, 0)))[0] == [0.3, 0.7]


def test_rows_without_an_answer_get_a_guess(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", {"prompt": "woof", "label": "dog"}, {"prompt": "meow", "completion": "who knows"}
    )
    loaded = load(path)
    assert loaded.model.answers.known(TEXTS).tolist() == [False, True, False]  # type: ignore[attr-defined]
    assert probabilities(loaded)[0] == [0.5, 0.5]


def test_rows_of_numbers_are_found_by_a_column_of_the_data(tmp_path: Path) -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2)
    path = write(tmp_path / "a.jsonl", {"id": 7, "label": "dog"}, {"id": "9", "label": "cat"})
    loaded = load(path, by="id", reads="images", inputs=images, keys=["7", "8", "9"], smoothing=0.2)
    assert probabilities(loaded, torch.from_numpy(images)) == [[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]]


def test_parquet_is_read_as_json_lines_are(tmp_path: Path) -> None:
    records = [
        {"prompt": "meow", "completions": ["cat", "dog"], "probabilities": None},
        {"prompt": "woof", "completions": None, "probabilities": {"cat": 0.2, "dog": 0.8}},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), tmp_path / "a.parquet")
    read = load(tmp_path / "a.parquet")
    assert probabilities(read) == probabilities(load(write(tmp_path / "a.jsonl", *records)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"prompt": "meow", "lab', "line 2: this is no JSON: "),
        ("[1]", "line 2: expected a JSON object, got list"),
        ({"text": "meow", "label": "cat"}, "line 2: expected a text or a whole number under 'prompt', got None; "
                                           "columns are label, text"),
        ({"prompt": "meow", "answer": "cat"}, "line 2: expected one of completion, completions, label and "
                                              "probabilities, got answer"),
        ({"prompt": "meow", "label": "cow"}, "line 2: the data has no class 'cow'; its classes are cat, dog"),
        ({"prompt": "meow", "probabilities": {"cow": 1}}, "line 2: the data has no class 'cow'; its classes are "),
        ({"prompt": "meow", "probabilities": {"cat": -1, "dog": 2}}, "line 2: probabilities must be at least 0 "),
        ({"prompt": "meow", "completion": 3}, "line 2: completion must hold texts, got 3"),
        ({"prompt": "meow", "completion": "cat", "score": "high"}, "line 2: score must be a finite number, got 'high'"),
        ({"prompt": "meow", "completion": "x", "log_probability": 2}, "line 2: log_probability must be at most 0"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_told_with_its_number(tmp_path: Path, line: Any, expected: str) -> None:
    path = write(tmp_path / "a.jsonl", {"prompt": "woof", "label": "dog"}, line)
    with pytest.raises(ValueError) as told:  # the beginning of the message is compared
        load(path)
    assert str(told.value).startswith(f"{path}, {expected}")


def test_a_file_about_other_rows_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"prompt": "quack", "label": "dog"})
    with pytest.raises(ValueError, match=r"none of the 1 rows in .* they are called 'quack', and the data's 'meow'"):
        load(path)
    images = np.zeros((3, 1, 2, 2))
    with pytest.raises(ValueError, match="let `by` be a column that both the data and the file have"):
        load(path, reads="images", inputs=images)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", "", "is empty; expected a completion a line"),
        ("a.txt", "{}", "the suffix must be one of .jsonl, .ndjson, .parquet, .pq"),
        ("a.parquet", "no", "cannot read"),
        ("a.jsonl", '{"prompt": "meow", "completion": "x"}', "no line of .* names one of the classes cat, dog; the "),
    ],
)  # fmt: skip
def test_a_file_of_no_use_is_told(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=expected):
        load(tmp_path / name)


def test_texts_go_on_after_their_prompts_the_best_first(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"prompt": "one", "completion": "worse", "score": 1},
        {"prompt": "one", "completion": "best", "score": 5.5},
        {"prompt": "two", "completions": [{"text": "likely", "log_probability": -1}, "unknown"]},
    )
    model = load(path, reads="tokens").model
    assert isinstance(model, Generator)
    settings: dict[str, Any] = {"temperature": 1.0, "max_new_tokens": 5, "seed": 0}
    assert model.generate(["two", "one", "three"], samples=2, **settings) == [
        [Generation(text="likely", log_probability=-1.0), Generation(text="unknown")],
        [Generation(text="best", score=5.5), Generation(text="worse", score=1.0)],
        [],
    ]
    assert [len(each) for each in model.generate(["one"], samples=1, **settings)] == [1]
    with pytest.raises(ValueError, match="holds texts and no logits"):
        model(torch.zeros(1, 2, dtype=torch.int64))


@pytest.mark.parametrize("change", [{"samples": 0}, {"temperature": -1.0}, {"max_new_tokens": 0}])
def test_settings_of_generation_that_make_no_sense_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    model = load(write(tmp_path / "a.jsonl", {"prompt": "one", "completion": "x"}), reads="tokens").model
    assert isinstance(model, Generator)
    settings: dict[str, Any] = {"samples": 1, "temperature": 1.0, "max_new_tokens": 5, "seed": 0}
    with pytest.raises(ValueError, match=f"{next(iter(change))} must be at least"):
        model.generate(["one"], **settings | change)
