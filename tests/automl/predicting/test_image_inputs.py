"""Image files as a student is given them: read as those that it was trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.predicting.raw_inputs import InputSpec, read_inputs
from trials.data.image_folder import decode_image
from trials.image_files import IMAGE_SUFFIXES

SPEC = InputSpec(name="input", kind="image", shape=(3, 2, 3), dtype="uint8", value_range=(0.0, 255.0))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_images_are_decoded_as_for_training(tmp_path, mode):
    drawn = np.random.default_rng(0).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    file = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(drawn).convert(mode).save(file, exif=turned)
    with Image.open(file) as opened:
        assert opened.getexif()[0x0112] == 6
    expected = decode_image(file, image_size=(2, 3), channels=3)
    np.testing.assert_array_equal(read_inputs(file, SPEC)[1][0], expected)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_files_are_read_by_the_suffixes_of_training(tmp_path, suffix):
    Image.new("RGB", (3, 2), (10, 20, 30)).convert("L" if suffix == ".pgm" else "RGB").save(tmp_path / f"a{suffix}")
    assert read_inputs(tmp_path, SPEC)[0] == [f"a{suffix}"]
    assert read_inputs(tmp_path / f"a{suffix}", SPEC)[1].shape == (1, 3, 2, 3)


def test_hidden_files_of_a_folder_are_passed_over(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"left by a file manager")
    assert read_inputs(tmp_path, SPEC)[0] == ["a.png"]


def test_what_training_refuses_is_refused(tmp_path):
    Image.fromarray(np.full((2, 3), 40_000, dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGB", (3, 2)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(whole.replace(b"IDAT", b"ID\0T"))
    for name, message in (("deep", "more than 8 bits a channel"), ("broken", "broken.png cannot be read as an image")):
        with pytest.raises(ValueError, match=message):
            read_inputs(tmp_path / f"{name}.png", SPEC)
        with pytest.raises(ValueError, match="cannot read the image"):
            decode_image(tmp_path / f"{name}.png", image_size=(2, 3), channels=3)


def test_all_images_of_a_folder_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(b"none")
    Image.new("L", (2, 2)).save(tmp_path / "b.png")
    spec = InputSpec(name="input", kind="image", shape=(1, 2, 2), dtype="uint8", value_range=(0.0, 255.0))
    with pytest.raises(ValueError, match=r"a\.png cannot be read") as refusal:
        read_inputs(tmp_path, spec)
    assert ["a.png" in line or "c.png" in line for line in str(refusal.value).splitlines()] == [True, True]
