"""Pairs of layers, read from a text."""

import pytest

from trials.losses.layers import LayerPair, names_of, parse_layers


@pytest.mark.parametrize(
    ("layers", "pairs"),
    [
        ("last", [("last", "last")]),
        ("stage1, last", [("stage1", "stage1"), ("last", "last")]),
        ("stage1=stage2,last.pooled = last", [("stage1", "stage2"), ("last.pooled", "last")]),
        ("stage1=stage1, stage1=stage2", [("stage1", "stage1"), ("stage1", "stage2")]),
    ],
)
def test_pairs_are_read_in_their_order(layers, pairs):
    assert parse_layers(layers) == tuple(LayerPair(*pair) for pair in pairs)


@pytest.mark.parametrize("layers", ["", " ", "last,", "=last", "a=b=c", "stage 1", "1stage", "a..b", None, 3])
def test_anything_else_is_told_with_the_grammar(layers):
    with pytest.raises(ValueError, match=r'such as "stage1=stage2, last"; got'):
        parse_layers(layers)


def test_the_option_is_called_by_its_name():
    with pytest.raises(ValueError, match=r"^hidden must be names"):
        parse_layers("", option="hidden")


def test_a_pair_that_stands_twice_is_told():
    with pytest.raises(ValueError, match="each pair once, got last=last more than once"):
        parse_layers("last, stage1, last=last")


def test_a_name_is_asked_for_once_on_each_side():
    needs = names_of(parse_layers("stage1=stage1, stage1=stage2, last=stage2"))
    assert needs.student == ("stage1", "last")
    assert needs.teacher == ("stage1", "stage2")
    assert not needs.models
