import math
from collections import Counter

import numpy as np
import pytest

from search_spaces import Categorical, Domain, Integer, Real
from search_spaces.scales import draw, draw_other, num_values, position, steps_from, value_at

NUMBERS = (
    Integer(low=-3, high=9, step=3),
    Integer(low=4, high=512, log=True),
    Integer(low=7, high=7),
    Real(low=-1.5, high=2.5),
    Real(low=1e-5, high=1e-1, log=True),
)
DOMAINS: tuple[Domain, ...] = (*NUMBERS, Categorical(options=("a", 1, True, 0.5)))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_draws_lie_within_the_domain(domain: Domain, rng: np.random.Generator) -> None:
    assert all(draw(domain, rng) in domain for _ in range(300))


@pytest.mark.parametrize("domain", [domain for domain in DOMAINS if num_values(domain) != 1], ids=str)
def test_other_draws_lie_within_the_domain_and_differ(domain: Domain, rng: np.random.Generator) -> None:
    value = draw(domain, rng)
    for _ in range(300):
        other = draw_other(domain, value, rng)
        assert other in domain
        assert (type(other), other) != (type(value), value)
        value = other


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_steps_lie_within_the_domain_and_differ(domain: Domain, rng: np.random.Generator) -> None:
    for _ in range(50):
        value = draw(domain, rng)
        steps = steps_from(domain, value)
        assert all(step in domain for step in steps)
        assert repr(value) not in map(repr, steps)
        assert len(set(map(repr, steps))) == len(steps)
        assert bool(steps) == (num_values(domain) != 1)


@pytest.mark.parametrize("domain", NUMBERS, ids=str)
def test_places_run_from_low_to_high_and_back(domain: Integer | Real, rng: np.random.Generator) -> None:
    assert value_at(domain, -0.3) == value_at(domain, 0.0) == domain.low
    assert value_at(domain, 1.0) == value_at(domain, 7.0) == domain.high
    for _ in range(100):
        value = draw(domain, rng)
        assert value_at(domain, position(domain, value)) == pytest.approx(value, rel=1e-12)


def test_steps_on_a_logarithmic_scale_reach_further_than_one() -> None:
    assert steps_from(Integer(low=4, high=512, log=True), 64) == [63, 65, 24, 50, 82, 169]


def test_steps_on_a_plain_scale_are_the_two_beside() -> None:
    assert steps_from(Integer(low=0, high=20, step=5), 10) == [5, 15]
    assert steps_from(Integer(low=0, high=20, step=5), 0) == [5]


def test_logarithmic_draws_are_equally_many_in_each_magnitude(rng: np.random.Generator) -> None:
    domain = Real(low=1e-4, high=1.0, log=True)
    decades = Counter(math.floor(math.log10(float(draw(domain, rng)))) for _ in range(4000))
    assert all(850 < decades[decade] < 1150 for decade in (-4, -3, -2, -1))


def test_ends_of_a_logarithmic_integer_are_not_drawn_too_rarely(rng: np.random.Generator) -> None:
    counts = Counter(draw(Integer(low=1, high=3, log=True), rng) for _ in range(4000))
    # Shares of ln 3, ln 5/3 and ln 7/5 in ln 7.
    assert 2130 < counts[1] < 2390
    assert 950 < counts[2] < 1150
    assert 600 < counts[3] < 780


def test_two_reals_next_to_each_other_still_differ(rng: np.random.Generator) -> None:
    domain = Real(low=1.0, high=float(np.nextafter(1.0, 2.0)))
    assert draw_other(domain, domain.low, rng) == domain.high
    assert draw_other(domain, domain.high, rng) == domain.low


@pytest.mark.parametrize(("domain", "number"), list(zip(DOMAINS, (5, 509, 1, None, None, 4), strict=True)))
def test_values_are_counted(domain: Domain, number: int | None) -> None:
    assert num_values(domain) == number
