import numpy as np
import pytest

from trials.data.raw import RawData, consecutive_splits, existing_file, existing_folder, files_of_splits


def raw(**changes):
    arguments = {
        "inputs": np.zeros((3, 2), np.float32),
        "labels": np.array([0, 1, -100]),
        "class_names": ("a", "b"),
    }
    return RawData(**(arguments | changes))


def test_takes_vectors_images_and_texts():
    assert raw().columns == {}
    raw(inputs=np.zeros((3, 1, 4, 4), np.uint8))
    raw(inputs=["x", "", "y"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((3, 2))}, "uint8, float32 or int64"),
        ({"inputs": np.zeros(3, np.float32)}, "of shape"),
        ({"inputs": [], "labels": np.zeros(0, np.int64)}, "no rows"),
        ({"inputs": np.array([[1, 2], [np.nan, 1], [1, 1]], np.float32)}, "row 1 of the inputs holds NaN"),
        ({"inputs": np.array([[1, 2], [1, 1], [1, np.inf]], np.float32)}, "row 2 of the inputs"),
        ({"labels": np.array([0, 1])}, "one for each of the 3 rows"),
        ({"labels": np.array([0, 1, 0], np.int32)}, "must be int64"),
        ({"labels": np.array([0, 1, 2])}, "labels run from 0 to 2, but there are 2 classes"),
        ({"labels": np.array([0, 1, -1])}, "labels run from -1 to 1"),
        ({"class_names": ("a", "a")}, "must differ"),
        (
            {"feature_names": ("x",)},
            r"each value of a vector once; a row of the inputs has shape \(2,\), got 1 names: x",
        ),
        ({"feature_names": ("x", "x")}, "got 2 names: x, x"),
        ({"inputs": ["x", "", "y"], "feature_names": ("x", "y")}, "feature_names must name"),
        ({"columns": {"site": np.array(["x", "y"])}}, "column 'site' must hold"),
        ({"columns": {"site": np.array([{}, {}, {}], dtype=object)}}, "column 'site' must hold"),
        ({"given_splits": {"val": np.array([0])}}, r"unknown splits val; the known ones are test, train, validation"),
        ({"given_splits": {"train": np.array([0, 1]), "test": np.array([1])}}, "must not share a row"),
        ({"given_splits": {"train": np.array([0, 3])}}, "does not have"),
        ({"given_splits": {"test": np.array([], np.int64)}}, "test split that came with the data is empty"),
    ],
)
def test_rejects_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        raw(**changes)


def test_numbers_consecutive_splits():
    splits = consecutive_splits({"train": 3, "test": 2})
    assert {name: rows.tolist() for name, rows in splits.items()} == {"train": [0, 1, 2], "test": [3, 4]}


def test_paths_must_be_there_and_of_the_right_kind(tmp_path):
    file = tmp_path / "f"
    file.write_text("")
    assert existing_file(str(file)) == file
    assert existing_folder(str(tmp_path)) == tmp_path
    with pytest.raises(ValueError, match=r"expected a file at .*found nothing"):
        existing_file(tmp_path / "g")
    with pytest.raises(ValueError, match="found a folder"):
        existing_file(tmp_path)
    with pytest.raises(ValueError, match=r"expected a folder at .*found a file"):
        existing_folder(file)


def test_files_of_splits_stand_in_the_order_of_splits(tmp_path):
    file = tmp_path / "f"
    file.write_text("")
    assert list(files_of_splits({"test": file, "train": file})) == ["train", "test"]
    assert files_of_splits(file) == {"": file}
    for wrong in ({}, {"val": file}):
        with pytest.raises(ValueError, match="files by split out of"):
            files_of_splits(wrong)
