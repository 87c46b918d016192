import math

import pytest

from teachers import MISSING_LABEL
from trials.data.labelling import encode_labels


def test_sorts_names():
    labels, names = encode_labels(["dog", "cat", "dog"])
    assert (labels.tolist(), names) == ([1, 0, 1], ("cat", "dog"))
    assert labels.dtype == "int64"


def test_sorts_whole_numbers_by_size_and_keeps_them_as_names():
    assert encode_labels([10, 9, 2])[1] == ("2", "9", "10")
    assert encode_labels(["10", "9"])[0].tolist() == [1, 0]
    assert encode_labels([3.0, 1.0])[1] == ("1", "3")


def test_none_nan_and_the_empty_string_are_missing():
    labels, names = encode_labels(["a", None, "", math.nan])
    assert (labels.tolist(), names) == ([0, *[MISSING_LABEL] * 3], ("a",))


def test_given_names_decide_the_order_and_may_have_no_rows():
    assert encode_labels(["b", "a"], ["b", "c", "a"])[0].tolist() == [0, 2]


def test_whole_numbers_are_positions_in_given_names():
    assert encode_labels(["0", "2"], ["x", "y", "z"])[0].tolist() == [0, 2]
    assert encode_labels([2, 0], ["x", "y", "z"])[0].tolist() == [2, 0]


def test_whole_numbers_that_are_all_names_are_names():
    assert encode_labels([1, 3], ["3", "1"])[0].tolist() == [1, 0]


def test_truth_values_are_names():
    assert encode_labels([True, False])[1] == ("False", "True")


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        ([None, ""], None, "no row has a label"),
        (["bird"], ["cat", "dog"], r"bird are none of the class names cat, dog"),
        ([0, 3], ["x", "y", "z"], r"3 are no positions in the 3 class names"),
        ([-1, 0], ["x", "y"], r"-1 are no positions"),
        ([0.5], None, "a name or a whole number, got 0.5"),
        ([[1]], None, "of type list"),
    ],
)
def test_rejects_what_is_no_label(values, names, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(values, names)
