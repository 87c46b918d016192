import numpy as np
import pytest

from trials.data.sklearn_sets import NAMES, read_sklearn, slant, slant_thirds

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


def test_a_slash_leans_right_and_a_backslash_left():
    bar = np.zeros((8, 8), np.float32)
    bar[:, 3] = 1
    assert slant_thirds(np.stack([bar, np.eye(8, dtype=np.float32), SLASH])).tolist() == ["upright", "left", "right"]


def test_digits_are_raw_images_with_thirds_by_slant():
    raw = read_sklearn(name="digits")
    assert raw.inputs.shape == (1797, 1, 8, 8)
    assert raw.inputs.dtype == np.float32
    assert (raw.inputs.min(), raw.inputs.max()) == (0, 16)
    assert raw.class_names == tuple("0123456789")
    styles, counts = np.unique(raw.columns["slant"], return_counts=True)
    assert dict(zip(styles.tolist(), counts.tolist(), strict=True)) == {"left": 599, "upright": 599, "right": 599}
    lean = slant(raw.inputs[:, 0])
    of = {style: lean[raw.columns["slant"] == style] for style in styles.tolist()}
    assert of["right"].max() <= of["upright"].min() <= of["upright"].max() <= of["left"].min()


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


def test_unknown_name_lists_the_known_ones():
    assert sorted(NAMES) == list(NAMES)
    with pytest.raises(
        ValueError, match=r"'mnist' is not known; known are \['breast_cancer', 'digits', 'iris', 'wine'\]"
    ):
        read_sklearn(name="mnist")
