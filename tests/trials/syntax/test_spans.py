"""Facts of tokens from those of characters."""

import numpy as np
import pytest

from trials.syntax import facts_of_tokens


@pytest.mark.parametrize(
    ("facts", "span", "expected"),
    [
        ("aaabb", (0, 5), "a"),
        ("abbcc", (0, 5), "b"),
        ("abab", (0, 4), "a"),
        ("baab", (0, 4), "b"),
        ("abbb", (0, 1), "a"),
        ("abbb", (3, 4), "b"),
        ("abbb", (2, 2), "z"),
        ("", (0, 0), "z"),
    ],
)
def test_a_token_takes_the_fact_of_most_of_its_characters(facts, span, expected):
    fact_c = np.array([ord(fact) for fact in facts], dtype=np.int64)
    found = facts_of_tokens(fact_c, np.array([span]), default=ord("z"))
    assert chr(found[0]) == expected


def test_many_tokens_at_once_give_what_each_gives_alone():
    chance = np.random.default_rng(0)
    fact_c = chance.integers(0, 3, size=60).repeat(chance.integers(1, 4, size=60))
    cuts = np.unique(chance.integers(0, len(fact_c), size=40))
    spans = np.stack([cuts[:-1], cuts[1:]], axis=1)
    found = facts_of_tokens(fact_c, spans, default=-1)
    assert found.tolist() == [facts_of_tokens(fact_c, span[None], default=-1)[0] for span in spans]
    assert len(set(found.tolist())) == 3
