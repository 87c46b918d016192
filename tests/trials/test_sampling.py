"""Shape letters: B = texts, V = vocabulary."""

import numpy as np
import pytest

from trials.sampling import Sampling, draw

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1]))


def drawn(sampling: Sampling, times: int = 2000) -> np.ndarray:
    """Give how often each token was drawn."""
    chances = [np.random.default_rng([0, n]) for n in range(times)]
    tokens, _ = draw(np.tile(LOGITS, (times, 1)), sampling, chances)
    return np.bincount(tokens, minlength=4) / times


def test_tokens_come_as_often_as_they_are_likely() -> None:
    assert drawn(Sampling()) == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.04)


def test_temperature_sharpens() -> None:
    squared = np.array([0.25, 0.0625, 0.0225, 0.01])
    assert drawn(Sampling(temperature=0.5)) == pytest.approx(squared / squared.sum(), abs=0.04)


def test_no_temperature_takes_the_likeliest() -> None:
    assert drawn(Sampling(temperature=0.0), times=3).tolist() == [1, 0, 0, 0]


def test_top_k_draws_among_the_likeliest() -> None:
    assert drawn(Sampling(top_k=2)) == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.04)


def test_top_p_draws_among_those_that_fill_the_mass() -> None:
    assert drawn(Sampling(top_p=0.6)) == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.04)
    assert drawn(Sampling(top_p=0.4), times=50).tolist() == [1, 0, 0, 0]


def test_log_probabilities_are_those_of_all_tokens_at_temperature_1() -> None:
    tokens, log_p = draw(LOGITS[None] + 7, Sampling(temperature=0.0, top_k=1), [np.random.default_rng(0)])
    assert tokens.tolist() == [0]
    assert log_p == pytest.approx([np.log(0.5)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0, got -1.0"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)  # type: ignore[arg-type] # wrong on purpose
