import pytest

from trials.near_names import and_known, near_name


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("sorte", ["sort", "size"], "sort"),
        ("X", ["labels", "x"], "x"),
        ("SIZE", ["size", "Size_2"], "size"),
        ("temp", ["temperature", "weight"], "temperature"),
        ("te", ["temperature", "weight"], None),  # Two letters begin too much.
        ("sta", ["standardise_left", "standardise_right"], None),
        ("zebra", ["temperature", "weight"], None),
        ("a", [], None),
    ],
)
def test_the_nearest_name_is_that_of_a_slip_or_a_beginning(name, known, near):
    assert near_name(name, known) == near


def test_the_end_of_a_message_lists_what_there_is():
    assert and_known("sorte", ["sort", "age"], "it has") == ", did you mean 'sort'? it has age, sort"
    assert and_known("x", [], "known:") == "; known: none"
