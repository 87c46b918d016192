import subprocess
import sys

import numpy as np
import pytest

from automl.export.feeding import order_in_words, preprocessing, python_example
from trials.tokenization import train_tokenizer


def describe(kind, shape, dtype, value_range=None):
    return {
        "inputs": [{"kind": kind, "name": "input", "shape": shape, "dtype": dtype}],
        "outputs": [{"name": "logits", "shape": [2], "dtype": "float32"}],
        "class_names": ["cat", "dog"],
        "normalisation": None if value_range is None else {"mean": [0.0], "std": [1.0], "value_range": value_range},
    }


def test_an_image_is_described_with_layout_colours_size_and_range():
    record = preprocessing(describe("image", [3, 32, 16], "uint8", [0.0, 255.0]))
    assert record["shape"] == ["N", 3, 32, 16]
    assert record["layout"] == "NCHW"
    assert record["channels"] == "red, green, blue"
    assert record["resize"] == {"height": 32, "width": 16, "interpolation": "bilinear"}
    assert record["value_range"] == [0.0, 255.0]
    assert record["normalisation"]["in_graph"] is True
    assert record["output"]["class_names"] == ["cat", "dog"]


def test_tokens_have_neither_range_nor_normalisation():
    record = preprocessing(describe("tokens", [None], "int64"))
    assert record["shape"] == ["N", None]
    assert "value_range" not in record
    assert "resize" not in record
    assert record["normalisation"]["in_graph"] is False


def run_until_the_batch(description, folder):
    """Run the lines that make the batch, and give it."""
    lines = python_example(description, "model.onnx").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(("image =", "batch =")))
    stop = next(i for i, line in enumerate(lines) if line.startswith("logits ="))
    imports = ["import numpy as np", "from PIL import Image, ImageOps"]
    code = "\n".join([*imports, *lines[start:stop], 'np.save("batch.npy", batch)'])
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return np.load(folder / "batch.npy")


@pytest.mark.parametrize(
    ("dtype", "value_range", "black", "white"),
    [
        ("uint8", [0.0, 255.0], 0, 255),
        ("uint8", [0.0, 16.0], 0, 16),
        ("float32", [0.0, 16.0], 0, 16),
        ("float32", [-1.0, 1.0], -1, 1),
    ],
)
def test_the_example_lays_black_and_white_over_the_range(tmp_path, dtype, value_range, black, white):
    from PIL import Image

    Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).save(tmp_path / "image.png")
    batch = run_until_the_batch(describe("image", [1, 2, 2], dtype, value_range), tmp_path)
    assert batch.dtype == dtype
    np.testing.assert_allclose(batch, [[[[black, white], [white, black]]]], atol=1e-6)


def test_the_example_puts_colours_first(tmp_path):
    from PIL import Image

    Image.new("RGB", (4, 3), (10, 20, 30)).save(tmp_path / "image.png")
    batch = run_until_the_batch(describe("image", [3, 3, 4], "uint8", [0.0, 255.0]), tmp_path)
    assert batch.shape == (1, 3, 3, 4)
    assert batch[0, :, 0, 0].tolist() == [10, 20, 30]


def test_the_example_turns_an_image_as_its_camera_noted(tmp_path):
    from PIL import Image

    from trials.data.image_folder import decode_image

    picture = Image.fromarray(np.array([[0, 50, 100], [150, 200, 250]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.save(tmp_path / "image.png", exif=exif)
    batch = run_until_the_batch(describe("image", [1, 3, 2], "uint8", [0.0, 255.0]), tmp_path)
    upright = np.array([[150, 0], [200, 50], [250, 100]])
    np.testing.assert_array_equal(batch[0, 0], upright)
    np.testing.assert_array_equal(decode_image(tmp_path / "image.png", image_size=(3, 2), channels=1)[0], upright)


def test_the_example_of_a_vector_reads_rows(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(3))
    batch = run_until_the_batch(describe("vector", [3], "float32", [0.0, 1.0]), tmp_path)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, np.eye(3))


def test_the_order_of_named_features_is_told():
    unnamed = describe("vector", [2], "float32")
    named = unnamed | {"feature_names": ["width", "length"]}
    assert preprocessing(named)["feature_names"] == ["width", "length"]
    assert order_in_words(named) == ", in this order: width, length"
    assert "in the order of feature_names" in python_example(named, "model.onnx")
    assert "feature_names" not in preprocessing(unnamed)
    assert order_in_words(unnamed | {"feature_names": None}) == ""
    assert "feature_names" not in python_example(unnamed, "model.onnx")


def test_texts_are_described_with_their_tokenizer_and_the_example_cuts_them(tmp_path):
    description = describe("tokens", [None], "int64") | {
        "tokenizer": {"file": "tokenizer.json", "length": 3, "padding": 0},
        "vocabulary_size": 300,
        "feature_names": ["said"],
    }
    record = preprocessing(description)
    assert record["tokenizer"]["length"] == 3 and record["tokenizer"]["vocabulary_size"] == 300
    assert order_in_words(description) == ""
    tokenizer = train_tokenizer(["some words, and more words"], vocabulary_size=270)
    (tmp_path / "tokenizer.json").write_text(tokenizer.definition)
    lines = python_example(description, "model.onnx").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("tokenizer ="))
    stop = next(i for i, line in enumerate(lines) if line.startswith("logits ="))
    code = "\n".join(["import numpy as np, tokenizers", *lines[start:stop], 'np.save("batch.npy", batch)'])
    code = code.replace("one text", "a")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = tokenizer.encode(["a", "and another, which is longer"], length=3)
    np.testing.assert_array_equal(np.load(tmp_path / "batch.npy"), expected)
