import numpy as np
import pytest

from trials.data.npz import read_npz


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_one_file_with_columns(tmp_path):
    path = save(
        tmp_path / "a.npz",
        x=np.arange(6).reshape(3, 2),
        y=np.array(["b", "a", ""]),
        site=np.array([b"s", b"t", b"u"]),
        age=np.array([1, 2, 3]),
        matrix=np.zeros((3, 2)),
        scale=np.float64(3),
    )
    raw = read_npz(path=path, inputs="x", labels="y")
    assert raw.inputs.dtype == np.float32
    assert raw.inputs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert raw.labels.tolist() == [1, 0, -100]
    assert {name: column.tolist() for name, column in raw.columns.items()} == {
        "site": ["s", "t", "u"],
        "age": [1, 2, 3],
    }
    assert raw.given_splits == {}


def test_a_file_a_split(tmp_path):
    files = {
        split: save(tmp_path / f"{split}.npz", inputs=np.full((n, 2, 2), n, np.uint8), labels=np.arange(n) % 2)
        for split, n in (("test", 2), ("train", 4))
    }
    raw = read_npz(path=files)
    assert raw.inputs.shape == (6, 1, 2, 2)
    assert raw.inputs.dtype == np.uint8
    assert raw.inputs[raw.given_splits["train"]].max() == raw.inputs[raw.given_splits["train"]].min() == 4
    assert raw.given_splits["test"].tolist() == [4, 5]
    assert raw.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_number_can_stand_for_no_label(tmp_path):
    path = save(tmp_path / "a.npz", inputs=np.zeros((3, 2)), labels=np.array([0, 1, -1]))
    assert read_npz(path=path, missing_label=-1).labels.tolist() == [0, 1, -100]
    assert read_npz(path=path).class_names == ("-1", "0", "1")


def test_strings_are_texts(tmp_path):
    path = save(tmp_path / "a.npz", inputs=np.array(["hello", "you"]), labels=np.array([0, 1]))
    assert read_npz(path=path, class_names=["x", "y"]).inputs == ["hello", "you"]


def test_pickled_objects_are_refused(tmp_path):
    path = save(tmp_path / "a.npz", inputs=np.zeros((2, 2)), labels=np.array(["a", None], dtype=object))
    with pytest.raises(
        ValueError, match=r"cannot read .*a\.npz: array 'labels' holds Python objects, which are not unp"
    ):
        read_npz(path=path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.zeros((2, 2))}, r"has no array 'labels'; it has inputs"),
        ({"inputs": np.zeros((3, 2)), "labels": np.arange(2)}, "as many inputs"),
        ({"inputs": np.zeros((2, 2)), "labels": np.zeros((2, 2), int)}, r"expected labels \(N,\)"),
        ({"inputs": np.float64(1), "labels": np.arange(2)}, r"inputs is a single value"),
        ({"inputs": np.zeros((2, 8, 8, 3)), "labels": np.arange(2)}, "channels last; transpose"),
        ({"inputs": np.zeros((2, 1, 1, 1, 1)), "labels": np.arange(2)}, "must be numbers of shape"),
        ({"inputs": np.zeros((2, 2), complex), "labels": np.arange(2)}, "must be numbers of shape"),
        ({"inputs": np.full((2, 2), 1e300), "labels": np.arange(2)}, "row 0 of the inputs holds NaN or infinity"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    path = save(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_npz(path=path)


def test_files_of_splits_must_hold_the_same(tmp_path):
    train = save(tmp_path / "a.npz", inputs=np.zeros((2, 2)), labels=np.arange(2), site=np.arange(2))
    other = save(tmp_path / "b.npz", inputs=np.zeros((2, 2)), labels=np.arange(2))
    wider = save(tmp_path / "c.npz", inputs=np.zeros((2, 3)), labels=np.arange(2), site=np.arange(2))
    with pytest.raises(ValueError, match=r"array 'site' of .*a\.npz is not in .*b\.npz"):
        read_npz(path={"train": train, "test": other})
    with pytest.raises(ValueError, match="rows of different shapes"):
        read_npz(path={"train": train, "test": wider})


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "single.npy", np.zeros(3))
    save(tmp_path / "whole.npz", inputs=np.zeros((200, 2)), labels=np.arange(200))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:1000])
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("text.npz", "single.npy", "torn.npz", "empty.npz"):
        with pytest.raises(ValueError, match=f"cannot read .*{name}"):
            read_npz(path=tmp_path / name)
    with pytest.raises(ValueError, match="expected a file at"):
        read_npz(path=tmp_path / "nothing.npz")


@pytest.mark.parametrize("name", ["y", "extra"])
def test_an_array_of_objects_is_named_with_its_remedy(tmp_path, name):
    arrays = {"x": np.zeros((2, 2)), "y": np.array(["a", "b"])} | {name: np.array(["a", "b"], dtype=object)}
    with pytest.raises(ValueError, match=rf"array '{name}' holds Python objects, .* as with {name}\.astype\(str\)"):
        read_npz(path=save(tmp_path / "a.npz", **arrays), inputs="x", labels="y")
    read_npz(path=save(tmp_path / "a.npz", **arrays | {name: arrays[name].astype(str)}), inputs="x", labels="y")
