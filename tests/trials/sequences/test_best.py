import math

import pytest

from teachers import Generation
from trials.sequences import best_of, find_scorer

WRITTEN = [
    (0, Generation(text="x = 1", log_probability=-6.0)),
    (1, Generation(text="x = )", log_probability=-1.0)),
    (1, Generation(text="y = 2", log_probability=-3.0)),
    (0, Generation(text="y = 2", log_probability=-5.0)),
]


def best(score: str, keep: int = 1, reference: str = "") -> list[tuple[int, str]]:
    made = best_of(WRITTEN, document=7, prompt="", reference=reference, score=find_scorer(score), keep=keep)
    assert all(each.document == 7 for each in made)
    return [(each.teacher, each.text) for each in made]


def test_the_likeliest_is_kept() -> None:
    assert best("likelihood") == [(1, "x = )")]


def test_the_nearest_to_the_reference_is_kept() -> None:
    assert best("reference", reference="x = 10") == [(0, "x = 1")]


def test_what_fails_a_check_is_never_kept_and_the_likelier_comes_first() -> None:
    assert best("parses", keep=4) == [(1, "y = 2"), (0, "x = 1")]


def test_a_function_of_ones_own_scores() -> None:
    assert best("tests.trials.sequences.test_best:by_digits", keep=1) == [(1, "y = 2")]


def by_digits(prompt: str, written: Generation, reference: str) -> float:
    return float(written.text[-1]) if written.text[-1].isdigit() else math.nan


def test_likelihood_needs_probabilities() -> None:
    silent = [(0, Generation(text="x"))]
    with pytest.raises(ValueError, match="tells no probabilities of what it writes"):
        best_of(silent, document=0, prompt="", reference="", score=find_scorer("likelihood"), keep=1)


def test_an_unknown_scorer_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown scorer 'best'; scorers are likelihood, parses, reference"):
        find_scorer("best")
