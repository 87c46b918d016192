"""What holds each character, by hand: one letter a node, in the order of the text."""

import pytest

from trials.syntax import NO_PARENT, parents_of


def letters(text):
    parents = parents_of(text).tolist()
    order = list(dict.fromkeys(parent for parent in parents if parent != NO_PARENT))
    return "".join("." if parent == NO_PARENT else "abcdefgh"[order.index(parent)] for parent in parents)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = f(a, b.c)\n", "aaaabbbbbcccb."),
        ("if x:\n  y\nz", "aaaaaaaab.c"),
        ("pass\npass", "aaaa.bbbb"),
        ("x = f'{a}{b}'", "aaaaaaaaaaaaa"),
        ("é = g('ü', x)", "aaaabbbbbbbbb"),
        ("def f(a, b):\r\n  return a\r\n", "aaaaaaaaaaaaaaaabbbbbbbb.."),
        ("[x for x in y]", "aaaaaaaaaaaaaa"),
    ],
)
def test_the_innermost_node_holds_a_character(text, expected):
    assert letters(text) == expected


@pytest.mark.parametrize("text", ["x = (1\n", "a\x00b", "", "(" * 500])
def test_of_source_that_does_not_parse_nothing_is_known(text):
    assert letters(text) == "." * len(text)


def test_a_sum_of_a_thousand_terms_is_no_trouble():
    parents = parents_of("x = " + " + ".join(["a"] * 800))
    assert len(set(parents.tolist())) == 800


def test_escapes_that_python_warns_of_are_passed_over():
    assert letters(r"x = '\d'") == "aaaaaaaa"
