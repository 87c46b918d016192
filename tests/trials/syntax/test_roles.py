"""Roles of characters by hand, one letter a character."""

import pytest

from trials.syntax import ROLES, roles_of

LETTERS = {
    "keyword": "k",
    "operator": "o",
    "bracket": "b",
    "indent": "_",
    "identifier": "i",
    "literal": "l",
    "comment": "c",
}


def letters(text):
    return "".join(LETTERS[ROLES[role]] for role in roles_of(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n", "iooll_"),
        ("if a is None:\n    pass\n", "kkiikkklllllo_____kkkk_"),
        ("f(a, *b)[0]", "ibioooibblb"),
        ("x = 'a b' # why\n", "ioollllllcccccc_"),
        ("x = f'{a} b'\n", "ioolllllllll_"),
        ("a = (1,\n  2)\n", "ioobblo___lb_"),
        ("a = 1 + \\\n  2\n", "ioolloo_____l_"),
        ("\n\n  \n", "_____"),
        ("", ""),
    ],
)
def test_each_character_has_its_role(text, expected):
    assert letters(text) == expected


def test_a_string_that_is_a_statement_is_a_comment_and_any_other_a_literal():
    assert letters('def f():\n "a\\n"\n return "a"\n') == "kkkiibbo__ccccc__kkkkkkllll_"
    assert letters('"""a\n\nb"""\n') == "cccccccccc_"
    assert letters('f("a")\n') == "iblllb_"


def test_characters_of_several_bytes_and_line_breaks_of_two_count_as_what_they_are():
    assert letters("é = 'ü'\r\ny") == "ioollll__i"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (1,\ny = 2\n", "ioobblo_iooll_"),
        ("a = '''b\nc = 1\n", "ioolllll_iooll_"),
        ("  if x:\n    a\n  b\n c\nd = 2", "__kkiio_____i___i__i_iooll"),
        ("x = $ 1\n", "ioollll_"),
    ],
    ids=["open bracket", "open string", "a level that was never there", "no token"],
)
def test_source_that_does_not_parse_has_roles_even_so(text, expected):
    assert letters(text) == expected
