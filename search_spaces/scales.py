"""Domains seen as a scale: drawing from them, stepping along them, and placing values in [0, 1]."""

import math

import numpy as np

from search_spaces.choices import Categorical, Domain, Integer, Real, Value

FINE_STEPS = (-0.2, -0.05, 0.05, 0.2)
"""Where the neighbours of a value stand on a scale without natural steps, as shares of its length."""
SPREAD = 0.1
"""Standard deviation of a mutation on such a scale, as a share of its length."""
NEARBY = 0.8
"""Probability that a mutated number stays nearby; else it is drawn anew, so that no value is out of reach."""
TRIES = 16
"""Draws of a different value before an end of the scale is taken; only scales of very few values need so many."""


def same(one: object, other: object) -> bool:
    """Tell whether two values are one option; True is not 1 here, though Python says that they are equal."""
    return type(one) is type(other) and one == other


def num_values(domain: Domain) -> int | None:
    """Count the values of a domain; None where there are infinitely many."""
    if isinstance(domain, Categorical):
        return len(domain.options)
    if isinstance(domain, Integer):
        return (domain.high - domain.low) // domain.step + 1
    return 1 if domain.low == domain.high else None


def first_value(domain: Domain) -> Value:
    """Give the first option, or the lowest number."""
    return domain.options[0] if isinstance(domain, Categorical) else domain.low


def position(domain: Integer | Real, value: Value) -> float:
    """Place a value on its scale: 0 at ``low``, 1 at ``high``, by logarithm where the domain says so."""
    number, low, high = float(value), float(domain.low), float(domain.high)
    if low == high:
        return 0.0
    if domain.log:
        return math.log(number / low) / math.log(high / low)
    return (number - low) / (high - low)


def value_at(domain: Integer | Real, place: float) -> int | float:
    """Give the value of the domain that is nearest to a place on its scale; the inverse of ``position``."""
    place = min(max(place, 0.0), 1.0)
    low, high = float(domain.low), float(domain.high)
    number = low * (high / low) ** place if domain.log else low + (high - low) * place
    if isinstance(domain, Real):
        return min(max(number, low), high)  # Rounding of the power may step over the edge.
    return domain.low + domain.step * round((number - domain.low) / domain.step)


def draw(domain: Domain, rng: np.random.Generator) -> Value:
    """Draw a value: uniform, or uniform by magnitude where the domain is logarithmic."""
    if isinstance(domain, Categorical):
        return domain.options[int(rng.integers(len(domain.options)))]
    if isinstance(domain, Integer) and not domain.log:
        return domain.low + domain.step * int(rng.integers((domain.high - domain.low) // domain.step + 1))
    if isinstance(domain, Integer):
        # Half a step of room at both ends, else the ends are drawn half as often as they should be.
        low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return min(max(round(math.exp(rng.uniform(low, high))), domain.low), domain.high)
    return value_at(domain, rng.uniform())


def draw_other(domain: Domain, value: Value, rng: np.random.Generator) -> Value:
    """Draw a value that differs, most often near ``value`` where the domain is a scale.

    Args:
        domain: Of two values or more.
        value: Within the domain.
        rng: Source of chance.
    """
    assert num_values(domain) != 1, f"{domain} has no other value"
    if isinstance(domain, Categorical):
        others = [option for option in domain.options if not same(option, value)]
        return others[int(rng.integers(len(others)))]
    nearby = rng.uniform() < NEARBY
    for _ in range(TRIES):
        other = _nudge(domain, value, rng) if nearby else draw(domain, rng)
        if other != value:
            return other
    return domain.low if value != domain.low else domain.high


def steps_from(domain: Domain, value: Value) -> list[Value]:
    """List the values one step away: all other options, the steps below and above, or a few places on the scale."""
    if isinstance(domain, Categorical):
        return [option for option in domain.options if not same(option, value)]
    steps: list[Value] = []
    if isinstance(domain, Integer):
        steps = [int(value) - domain.step, int(value) + domain.step]
    if isinstance(domain, Real) or domain.log:
        # On a logarithmic scale one more is next to nothing at the upper end, so these stand beside it.
        place = position(domain, value)
        steps += [value_at(domain, place + fine) for fine in FINE_STEPS]
    return [step for step in dict.fromkeys(steps) if step in domain and step != value]


def _nudge(domain: Integer | Real, value: Value, rng: np.random.Generator) -> int | float:
    if isinstance(domain, Integer) and not domain.log:
        # One step or two (two in a quarter of the draws), bounced off the ends by the caller's next try.
        steps = (1 if rng.uniform() < 0.75 else 2) * (1 if rng.uniform() < 0.5 else -1)
        return min(max(int(value) + steps * domain.step, domain.low), domain.high)
    return value_at(domain, position(domain, value) + SPREAD * rng.standard_normal())
