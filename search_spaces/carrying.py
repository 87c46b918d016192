"""A point of one space carried over into another, as far as both have the same choices."""

import math
from dataclasses import dataclass

import numpy as np

from search_spaces.choices import Categorical, Choice, Domain, Value, Values, walk
from search_spaces.scales import draw, position, value_at


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A point that came from another space.

    Args:
        values: A point of the space that it came to.
        drawn: Its choices of which the other point said nothing that can be chosen here.
        moved: Its choices that took the nearest number that they can be.
    """

    values: dict[str, Value]
    drawn: tuple[str, ...]
    moved: tuple[str, ...]


def carry_over(choices: tuple[Choice, ...], values: Values, rng: np.random.Generator) -> Carried:
    """Carry a point over: what can be stays, numbers out of range go to its end, all else is drawn.

    Args:
        choices: Of the space to come to.
        values: Of the point, by name; what is no choice here is passed over.
        rng: Source of chance.
    """
    drawn: list[str] = []
    moved: list[str] = []

    def pick(choice: Choice) -> Value:
        domain, name = choice.domain, choice.name
        if name in values and values[name] in domain:
            return values[name]
        near = nearest(domain, values[name]) if name in values else None
        if near is None:
            drawn.append(name)
            return draw(domain, rng)
        if near != values[name]:
            moved.append(name)
        return near

    return Carried(values=walk(choices, pick), drawn=tuple(drawn), moved=tuple(moved))


def nearest(domain: Domain, value: Value) -> int | float | None:
    """Give the number of a domain that is nearest to a value; None where one of them is no number."""
    if isinstance(value, bool | str) or not math.isfinite(value):
        return None
    if not isinstance(domain, Categorical):
        return value_at(domain, position(domain, min(max(value, domain.low), domain.high)))
    numbers = [option for option in domain.options if not isinstance(option, bool | str)]
    if len(numbers) < len(domain.options):
        return None
    return min(numbers, key=lambda option: abs(option - value))
