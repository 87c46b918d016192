import sys

import numpy as np
import pytest
from PIL import Image

from trials.data.huggingface import read_huggingface

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()


def save(path, part):
    part.save_to_disk(str(path))
    return path


def pictures(*values, names=("cat", "dog"), labels=(0, 1)):
    return datasets.Dataset.from_dict(
        {"img": [Image.new("RGB", (6, 4), value) for value in values], "y": list(labels)},
        features=datasets.Features({"img": datasets.Image(), "y": datasets.ClassLabel(names=list(names))}),
    )


def test_images_of_a_dict_with_two_splits(tmp_path):
    both = datasets.DatasetDict(
        {
            "test": pictures((0, 9, 0), (0, 8, 0), labels=(1, -1)),
            "train": pictures((1, 2, 3), (4, 5, 6), names=("dog", "cat")),
        }
    )
    raw = read_huggingface(path=save(tmp_path / "d", both), label="y", image="img", image_size=(2, 3), channels=3)
    assert raw.inputs.shape == (4, 3, 2, 3)
    assert raw.inputs.dtype == np.uint8
    assert raw.inputs[:, :, 0, 0].tolist() == [[1, 2, 3], [4, 5, 6], [0, 9, 0], [0, 8, 0]]
    # Classes go by name: the splits number them differently. -1 is Hugging Face's sign for none.
    assert (raw.labels.tolist(), raw.class_names) == ([0, 1, 0, -100], ("dog", "cat"))
    assert {name: rows.tolist() for name, rows in raw.given_splits.items()} == {"train": [0, 1], "test": [2, 3]}


def test_splits_of_other_names(tmp_path):
    parts = {"train": pictures(1, 2), "dev": pictures(3, 4), "hidden": pictures(5, 6)}
    path = save(tmp_path / "d", datasets.DatasetDict(parts))
    options = {"path": path, "label": "y", "image": "img", "image_size": (4, 6), "channels": 1}
    assert list(read_huggingface(**options).given_splits) == ["train"]
    assert list(read_huggingface(**options, splits={"validation": "dev", "train": "train"}).given_splits) == [
        "train",
        "validation",
    ]
    with pytest.raises(ValueError, match=r"to some of dev, hidden, train"):
        read_huggingface(**options, splits={"test": "tset"})


def test_numbers_and_lists_of_numbers_make_vectors(tmp_path):
    part = datasets.Dataset.from_dict(
        {"e": [[1.5, 2], [3, 4]], "n": [7, 8], "y": ["b", None], "site": ["x", None], "k": [1, 2]}
    )
    path = save(tmp_path / "d", part)
    raw = read_huggingface(path=path, label="y", features=["n", "e"], columns=["site", "k"])
    assert raw.inputs.tolist() == [[7, 1.5, 2], [8, 3, 4]]
    assert raw.inputs.dtype == np.float32
    assert (raw.labels.tolist(), raw.class_names, raw.given_splits) == ([0, -100], ("b",), {})
    assert {name: column.tolist() for name, column in raw.columns.items()} == {"site": ["x", ""], "k": [1, 2]}
    assert read_huggingface(path=path, label="y", features="e").inputs.shape == (2, 2)


def test_texts(tmp_path):
    part = datasets.Dataset.from_dict({"t": ["hello", None], "y": [0, 1]})
    assert read_huggingface(path=save(tmp_path / "d", part), label="y", text="t").inputs == ["hello", ""]


def test_mistakes_are_named(tmp_path):
    part = datasets.Dataset.from_dict({"t": ["a", "b"], "e": [[1, 2], [3]], "y": [0, 1]})
    path = save(tmp_path / "d", part)
    cases = [
        ({"label": "y"}, "exactly one of image, text and features"),
        ({"label": "y", "text": "t", "features": "e"}, "exactly one"),
        ({"label": "z", "text": "t"}, r"has no column 'z'; it has e, t, y"),
        ({"label": "y", "features": ["e"]}, "'e' must hold numbers, or lists of numbers of one length"),
        ({"label": "y", "features": ["t"]}, "'t' must hold numbers"),
        ({"label": "y", "image": "t"}, "images need image_size"),
        ({"label": "y", "image": "t", "image_size": (2, 2), "channels": 1}, "'t' must hold images .* got str in row 0"),
        ({"label": "y", "text": "t", "splits": {"train": "train"}}, "one Dataset without splits"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            read_huggingface(path=path, **options)


def test_folders_that_hold_no_data_set(tmp_path):
    with pytest.raises(ValueError, match="is no data set that save_to_disk wrote"):
        read_huggingface(path=tmp_path, label="y", text="t")
    with pytest.raises(ValueError, match="expected a folder at"):
        read_huggingface(path=tmp_path / "nothing", label="y", text="t")


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install automl-distill\[huggingface\]"):
        read_huggingface(path=tmp_path, label="y", text="t")
