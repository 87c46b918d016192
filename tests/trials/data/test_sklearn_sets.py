import numpy as np
import pytest

from trials.data.sklearn_sets import NAMES, STYLES, read_sklearn, slant, writing_styles

SLASH = np.fliplr(np.eye(8, dtype=np.float32))  # "/": the top is on the right


def test_slant_of_strokes_by_hand():
    bar = np.zeros((8, 8), np.float32)
    bar[:, 3] = 16
    # On a diagonal x moves by one for each step of y; upright it does not move; an empty image has no slant.
    np.testing.assert_allclose(
        slant(np.stack([SLASH, np.eye(8, dtype=np.float32), bar, np.zeros_like(bar)])), [-1, 1, 0, 0]
    )


def test_slant_does_not_depend_on_place_or_ink():
    small = np.pad(np.eye(4, dtype=np.float32), ((0, 4), (0, 4)))
    moved = np.roll(small, (3, 2), axis=(0, 1)) * 7
    np.testing.assert_allclose(slant(np.stack([small, moved])), [1, 1])


def test_styles_are_the_ways_to_write_each_class_by_their_slant():
    """Two classes of three strokes each, all with a little noise, so that the groups are known beforehand."""
    rng = np.random.default_rng(0)
    bar = np.zeros((8, 8), np.float32)
    bar[:, 3] = 1
    halves = [np.vstack([stroke[:4], bar[4:]]) for stroke in (np.eye(8, dtype=np.float32), bar, SLASH)]
    shapes = np.stack([np.eye(8, dtype=np.float32), bar, SLASH, *halves])
    which = rng.permutation(np.repeat(np.arange(6), 10))
    images = shapes[which] * 16 + rng.uniform(0, 0.5, (60, 8, 8)).astype(np.float32)
    assert writing_styles(images, which // 3).tolist() == [STYLES[number % 3] for number in which]


def test_digits_are_raw_images_and_each_style_holds_each_digit():
    raw = read_sklearn(name="digits")
    assert raw.inputs.shape == (1797, 1, 8, 8)
    assert raw.inputs.dtype == np.float32
    assert (raw.inputs.min(), raw.inputs.max()) == (0, 16)
    assert raw.class_names == tuple("0123456789")
    assert set(raw.columns) == {"style"}
    lean = slant(raw.inputs[:, 0])
    for digit in range(10):
        of = [lean[(raw.labels == digit) & (raw.columns["style"] == style)] for style in STYLES]
        assert min(map(len, of)) >= 15
        assert of[0].mean() > of[1].mean() > of[2].mean()


def test_styles_are_the_same_in_every_call_and_are_groups_of_the_pixels():
    first, second = (read_sklearn(name="digits") for _ in range(2))
    assert first.columns["style"].tolist() == second.columns["style"].tolist()
    for digit in range(10):
        rows = first.labels == digit
        pixels, styles = first.inputs[rows].reshape(rows.sum(), -1), first.columns["style"][rows]
        centres = np.stack([pixels[styles == style].mean(axis=0) for style in STYLES])
        nearest = np.square(pixels[:, None] - centres).sum(axis=2).argmin(axis=1)
        assert (np.array(STYLES)[nearest] == styles).mean() > 0.99


@pytest.mark.parametrize(
    ("name", "shape", "classes"), [("breast_cancer", (569, 30), 2), ("wine", (178, 13), 3), ("iris", (150, 4), 3)]
)
def test_the_others_are_vectors(name, shape, classes):
    raw = read_sklearn(name=name)
    assert raw.inputs.shape == shape
    assert raw.inputs.dtype == np.float32
    assert len(raw.class_names) == classes
    assert all(type(class_name) is str for class_name in raw.class_names)
    assert raw.given_splits == {}
    assert raw.columns == {}


def test_unknown_name_lists_the_known_ones():
    assert sorted(NAMES) == list(NAMES)
    with pytest.raises(ValueError, match=r"'mnist' is not known; known are breast_cancer, digits, iris, wine"):
        read_sklearn(name="mnist")
