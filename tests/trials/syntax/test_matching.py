"""Syntax match against subtrees that are counted by hand."""

import pytest

from trials.syntax import syntax_match


def test_names_and_literals_do_not_count():
    assert syntax_match("y = g(7)", "x = f('a')") == 1.0


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        # Reference: module, assignment, call. The candidate has the call alone.
        ("f(1)", "x = f(1)", 1 / 3),
        # Module, two statements, two equal calls: of the candidate's module, statement and call two are matched once.
        ("f(1)", "f(1)\ng(2)", 2 / 5),
        ("f(1)\ng(2)", "f(1)", 2 / 3),
        # Module, assignment, sum; operators are nodes.
        ("x = a - b", "x = a + b", 0.0),
        ("x = c + 1", "x = a + b", 0.0),
        ("x = b + a", "x = a + b", 1.0),
        ("x = (", "x = 1", 0.0),
        ("", "x = 1", 0.0),
    ],
)
def test_share_of_matched_subtrees_by_hand(candidate, reference, expected):
    assert syntax_match(candidate, reference) == pytest.approx(expected)


def test_a_part_that_is_indented_is_what_it_is_without():
    reference = "def f():\n    return g(1)\n"
    assert syntax_match("    def f():\n        return h(2)\n", reference) == 1.0
    assert syntax_match(reference, "  def f():\n    return g(1)\n") == 1.0


@pytest.mark.parametrize("reference", ["x = (", ""])
def test_a_reference_without_a_tree_is_told(reference):
    with pytest.raises(ValueError, match="reference must be Python source that parses"):
        syntax_match("x = 1", reference)
