import gzip
import struct

import numpy as np
import pytest

from trials.data.idx import read_idx, read_idx_file


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def lay(folder, *, splits=(("train", 4), ("t10k", 2)), suffix="", size=(3, 2)):
    for prefix, n in splits:
        images = np.arange(n * size[0] * size[1], dtype=np.uint8).reshape(n, *size)
        for stem, array in (("images-idx3", images), ("labels-idx1", np.arange(n, dtype=np.uint8) % 2)):
            content = gzip.compress(idx(array)) if suffix else idx(array)
            (folder / f"{prefix}-{stem}-ubyte{suffix}").write_bytes(content)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_train_and_test(tmp_path, suffix):
    lay(tmp_path, suffix=suffix)
    raw = read_idx(path=tmp_path, class_names=["shirt", "shoe"])
    assert raw.inputs.shape == (6, 1, 3, 2)
    assert raw.inputs.dtype == np.uint8
    assert raw.inputs[4].ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert raw.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert raw.class_names == ("shirt", "shoe")
    assert {name: rows.tolist() for name, rows in raw.given_splits.items()} == {"train": [0, 1, 2, 3], "test": [4, 5]}


def test_test_files_may_be_absent_and_names_may_have_a_dot(tmp_path):
    lay(tmp_path, splits=[("train", 4)])
    for file in list(tmp_path.iterdir()):
        file.rename(tmp_path / file.name.replace("-idx", ".idx"))
    assert list(read_idx(path=tmp_path).given_splits) == ["train"]


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_every_type_of_element_is_read_in_big_endian(tmp_path, code, dtype):
    array = np.array([[1, 2, 3], [4, 5, 100]], dtype)
    (tmp_path / "f").write_bytes(idx(array, code))
    found = read_idx_file(tmp_path / "f")
    assert found.tolist() == array.tolist()
    assert found.dtype.isnative


def test_bytes_by_hand(tmp_path):
    (tmp_path / "f").write_bytes(bytes.fromhex("00000802 00000001 00000003 07 08 09"))
    assert read_idx_file(tmp_path / "f").tolist() == [[7, 8, 9]]


WHOLE = idx(np.arange(60, dtype=np.uint8).reshape(5, 4, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected two zero bytes"),
        (b"\x01" + WHOLE[1:], "expected two zero bytes"),
        (WHOLE[:2] + b"\x07" + WHOLE[3:], "expected two zero bytes, a type of"),
        (WHOLE[:3] + b"\x00" + WHOLE[4:], "and a rank"),
        (WHOLE[:10], "ends within the sizes of its 3 dimensions"),
        (WHOLE[:-1], r"sizes \(5, 4, 3\) need 60 bytes, but 59 follow"),
        (WHOLE + b"\x00", "need 60 bytes, but more follow"),
        (gzip.compress(WHOLE, mtime=0)[:-10], "cannot read .* as IDX"),
        (gzip.compress(WHOLE, mtime=0)[:20] + b"\xff" * 30, "cannot read .* as IDX"),
    ],
    ids=["empty", "zeros", "type", "rank", "header", "short", "long", "short gzip", "damaged gzip"],
)
def test_damaged_files_are_named(tmp_path, content, message):
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx_file(tmp_path / "damaged")
    assert "damaged as IDX" in str(caught.value)


def test_sizes_beyond_the_file_take_no_memory(tmp_path):
    (tmp_path / "huge").write_bytes(struct.pack(">BBBB2I", 0, 0, 8, 2, 2**31, 2**10) + b"x" * 10)
    with pytest.raises(ValueError, match="but 10 follow"):
        read_idx_file(tmp_path / "huge")


def test_files_that_do_not_fit_each_other(tmp_path):
    with pytest.raises(ValueError, match=r"has no train-images-idx3-ubyte or train-images-idx3-ubyte\.gz"):
        read_idx(path=tmp_path)
    lay(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match="has no t10k-labels-idx1-ubyte"):
        read_idx(path=tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(ValueError, match=r"has 2 images, but .* has 3 labels"):
        read_idx(path=tmp_path)
    lay(tmp_path, splits=[("t10k", 2)], size=(4, 4))
    with pytest.raises(ValueError, match="images of different sizes"):
        read_idx(path=tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(ValueError, match="must hold bytes in 3 dimensions"):
        read_idx(path=tmp_path)
