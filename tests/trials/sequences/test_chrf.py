import pytest

from trials.sequences.chrf import chrf


def test_the_same_text_scores_1_and_another_0() -> None:
    assert chrf("a text", "a text") == 1
    assert chrf("abc", "xyz") == 0
    assert chrf("", "abc") == 0


def test_blanks_do_not_count() -> None:
    assert chrf("a b\nc", "abc") == 1


def test_by_hand() -> None:
    # Of "abcd" against "abce": 3 of 4 characters, 2 of 3 pairs, 1 of 2 triples, none of 1; as many on both sides.
    precision = (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4
    assert chrf("abcd", "abce") == pytest.approx(precision)


def test_recall_counts_more() -> None:
    # Of "ab" against "abab": characters 2/2 and 2/4, pairs 1/1 and 1/3; nothing longer on both sides.
    precision, recall = 1.0, (2 / 4 + 1 / 3) / 2
    assert chrf("ab", "abab") == pytest.approx(5 * precision * recall / (4 * precision + recall))
    assert chrf("abab", "ab") > chrf("ab", "abab")
