import numpy as np
import pytest
from PIL import Image

from trials.data.image_folder import read_image_folder
from trials.data.settings import SettingError


def draw(path, value, *, size=(4, 6), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value).save(path)


def test_a_folder_a_class_in_sorted_order(tmp_path):
    draw(tmp_path / "dog" / "1.png", 20)
    draw(tmp_path / "cat" / "2.PNG", 11)
    draw(tmp_path / "cat" / "1.jpg", 10)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "cat" / ".hidden.png").write_text("no image")
    (tmp_path / ".cache").mkdir()
    raw = read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)
    assert raw.inputs.shape == (3, 1, 4, 6)
    assert raw.inputs.dtype == np.uint8
    assert raw.inputs[:, 0, 0, 0].tolist() == [10, 11, 20]
    assert raw.labels.tolist() == [0, 0, 1]
    assert raw.class_names == ("cat", "dog")
    assert raw.given_splits == {}


def test_folders_of_splits(tmp_path):
    for split, values in (("train", (1, 2)), ("test", (3, 4))):
        draw(tmp_path / split / "a" / "x.png", values[0])
        draw(tmp_path / split / "b" / "x.png", values[1])
    raw = read_image_folder(path=tmp_path, image_size=(4, 6), channels=1, class_names=["b", "a"])
    assert raw.inputs[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert raw.labels.tolist() == [1, 0, 1, 0]
    assert {name: rows.tolist() for name, rows in raw.given_splits.items()} == {"train": [0, 1], "test": [2, 3]}


def test_a_class_may_be_called_train(tmp_path):
    for name in ("car", "train"):
        draw(tmp_path / name / "x.png", 1)
    raw = read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)
    assert (raw.class_names, raw.given_splits) == (("car", "train"), {})


def test_splits_beside_other_folders_are_refused(tmp_path):
    draw(tmp_path / "train" / "a" / "x.png", 1)
    draw(tmp_path / "val" / "a" / "x.png", 1)
    with pytest.raises(ValueError, match=r"and others \(val\); rename to one of train, validation, test"):
        read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)


def test_colour_size_and_the_order_of_axes(tmp_path):
    picture = np.zeros((8, 4, 3), np.uint8)
    picture[:4] = (200, 0, 0)  # upper half red
    (tmp_path / "a").mkdir()
    Image.fromarray(picture).save(tmp_path / "a" / "x.png")
    pixels = read_image_folder(path=tmp_path, image_size=(4, 2), channels=3).inputs[0]
    assert pixels.shape == (3, 4, 2)
    assert pixels[0, 0].tolist() == [200, 200]
    assert pixels[0, 3].tolist() == [0, 0]
    assert pixels[0, 1, 0] > 150
    assert pixels[0, 2, 0] < 50
    assert not pixels[1:].any()


def test_grey_palette_and_transparent_pictures_become_colour(tmp_path):
    for mode, value in (("L", 7), ("P", 0), ("RGBA", (1, 2, 3, 255)), ("1", 1)):
        draw(tmp_path / "a" / f"{mode}.png", value, mode=mode)
    pixels = read_image_folder(path=tmp_path, image_size=(4, 6), channels=3).inputs
    assert pixels[:, :, 0, 0].tolist() == [[255, 255, 255], [7, 7, 7], [0, 0, 0], [1, 2, 3]]


def test_a_camera_turned_on_its_side(tmp_path):
    picture = np.zeros((4, 8), np.uint8)
    picture[:, :4] = 100  # left half bright, to be shown after a quarter turn clockwise: upper half
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a").mkdir()
    Image.fromarray(picture).save(tmp_path / "a" / "x.png", exif=exif)
    pixels = read_image_folder(path=tmp_path, image_size=(8, 4), channels=1).inputs[0, 0]
    assert pixels[:4].min() == 100
    assert pixels[4:].max() == 0


def test_a_folder_without_labels(tmp_path):
    for name in ("a", "b", "unknown"):
        draw(tmp_path / name / "x.png", 1)
    raw = read_image_folder(path=tmp_path, image_size=(4, 6), channels=1, unlabelled="unknown")
    assert (raw.labels.tolist(), raw.class_names) == ([0, 1, -100], ("a", "b"))


def test_a_folder_without_labels_that_is_not_there_is_told(tmp_path):
    for name in ("a", "b", "unknown"):
        draw(tmp_path / name / "x.png", 1)
    message = r"has no folder 'unkown', did you mean 'unknown'\? it has a, b, unknown$"
    with pytest.raises(SettingError, match=message) as refusal:
        read_image_folder(path=tmp_path, image_size=(4, 6), channels=1, unlabelled="unkown")
    assert refusal.value.setting == ("unlabelled",)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    draw(tmp_path / "a" / "fine.png", 1, size=(64, 64))
    whole = (tmp_path / "a" / "fine.png").read_bytes()
    for name, content in (("text", b"hello"), ("torn", whole[:60]), ("none", b"")):
        broken = tmp_path / "a" / f"{name}.png"
        broken.write_bytes(content)
        with pytest.raises(ValueError, match=f"cannot read the image .*{name}.png: .*; repair or remove it"):
            read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)
        broken.unlink()


def test_sixteen_bits_are_not_cut_off_in_silence(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((4, 6), 1000, np.uint16)).save(tmp_path / "a" / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png: it has more than 8 bits a channel"):
        read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)


def test_folders_without_images_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no images as CLASS/NAME\.png"):
        read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)
    draw(tmp_path / "a" / "x.png", 1)
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match=r"folder .*b holds no images"):
        read_image_folder(path=tmp_path, image_size=(4, 6), channels=1)


@pytest.mark.parametrize(
    ("image_size", "channels", "message"),
    [((4,), 1, "height and width"), ((0, 4), 1, "at least 1"), ((4, 4.0), 1, "height"), ((4, 4), 4, "1 .grey. or 3")],
)
def test_formats_that_no_image_can_have(tmp_path, image_size, channels, message):
    with pytest.raises(ValueError, match=message):
        read_image_folder(path=tmp_path, image_size=image_size, channels=channels)
