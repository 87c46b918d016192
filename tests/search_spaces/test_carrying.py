"""Points that come from one space to another."""

import numpy as np
import pytest

from search_spaces import Categorical, Choice, Domain, Integer, Real, Value, at_least, check_values, mlp, sample
from search_spaces.carrying import carry_over, nearest

CHOICES = (
    Choice(name="block", domain=Categorical(options=("plain", "separable"))),
    Choice(name="depth", domain=Integer(low=1, high=3)),
    Choice(name="layer2.width", domain=Integer(low=8, high=64, step=8), when=at_least("depth", 2)),
    Choice(name="rate", domain=Real(low=0.001, high=0.1, log=True)),
)


def test_a_point_of_the_space_stays_as_it_is() -> None:
    choices = mlp().choices
    for seed in range(20):
        values = sample(choices, np.random.default_rng(seed))
        carried = carry_over(choices, values, np.random.default_rng(0))
        assert (carried.values, carried.drawn, carried.moved) == (values, (), ())


def test_what_cannot_be_taken_is_drawn_and_numbers_go_to_the_nearest() -> None:
    other = {"block": "inverted", "depth": 5, "rate": 0.5, "colour": "red", "layer2.width": 21}
    carried = carry_over(CHOICES, other, np.random.default_rng(0))
    check_values(CHOICES, carried.values)
    assert carried.values["depth"] == 3
    assert carried.values["layer2.width"] == 24
    assert carried.values["rate"] == 0.1
    assert carried.drawn == ("block",)
    assert carried.moved == ("depth", "layer2.width", "rate")


def test_a_choice_that_is_not_active_here_is_passed_over() -> None:
    carried = carry_over(CHOICES, {"block": "plain", "depth": 1, "layer2.width": 16, "rate": 0.01}, rng())
    assert carried.values == {"block": "plain", "depth": 1, "rate": 0.01}


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    found = [carry_over(CHOICES, {}, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert found[0] == found[1] != found[2]
    assert found[0].drawn == tuple(found[0].values)


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        (Integer(low=8, high=64, step=8), 100, 64),
        (Integer(low=8, high=64, step=8), 0.5, 8),
        (Integer(low=1, high=100, log=True), 7.4, 7),
        (Real(low=0.0, high=1.0), 2, 1.0),
        (Categorical(options=(16, 32, 64)), 40, 32),
        (Categorical(options=(0.5, 1)), 2.0, 1),
        (Categorical(options=(16, "auto")), 16.5, None),
        (Categorical(options=(True, False)), 1, None),
        (Integer(low=0, high=3), True, None),
        (Real(low=0.0, high=1.0), float("nan"), None),
        (Real(low=0.0, high=1.0), "much", None),
    ],
)
def test_the_nearest_number(domain: Domain, value: Value, expected: Value | None) -> None:
    assert nearest(domain, value) == expected
    assert expected is None or expected in domain


def rng() -> np.random.Generator:
    return np.random.default_rng(0)
