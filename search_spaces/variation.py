"""Drawing, changing, mixing and encoding points, written once for all spaces.

Everything here takes choices, not a space: a search joins the choices of the architecture with those of the recipe.
All points that are given back pass ``check_values``.

Shape letters: F = columns of an encoded point.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from search_spaces.choices import Categorical, Choice, Domain, Value, Values, walk
from search_spaces.scales import draw, draw_other, num_values, position, same, steps_from, value_at

Point = dict[str, Value]


def sample(choices: tuple[Choice, ...], rng: np.random.Generator) -> Point:
    """Draw a point; each active choice is drawn from its whole domain."""
    return walk(choices, lambda choice: draw(choice.domain, rng))


def mutate(choices: tuple[Choice, ...], values: Values, rng: np.random.Generator, *, num_changes: int = 1) -> Point:
    """Change some choices of a point; numbers most often move to a nearby value.

    Choices that become active are drawn, those that no longer are drop out. Values that lie outside their domain, as
    those of a point from a wider space, are drawn too.

    Args:
        choices: Of the space.
        values: A point.
        rng: Source of chance.
        num_changes: Active choices to change, at least 1; fewer where fewer have a second value.

    Returns:
        A point that differs from ``values``, unless the space has no other.
    """
    if num_changes < 1:
        raise ValueError(f"num_changes must be at least 1, got {num_changes}")
    free = [choice.name for choice in choices if choice.name in values and num_values(choice.domain) != 1]
    changed = {free[int(index)] for index in rng.permutation(len(free))[:num_changes]}

    # The first changed choice stays active, since all before it keep their values: the point surely differs.
    def pick(choice: Choice) -> Value:
        if choice.name not in values or values[choice.name] not in choice.domain:
            return draw(choice.domain, rng)
        value = values[choice.name]
        return draw_other(choice.domain, value, rng) if choice.name in changed else value

    return walk(choices, pick)


def crossover(choices: tuple[Choice, ...], first: Values, second: Values, rng: np.random.Generator) -> Point:
    """Mix two points: each choice comes from one of the parents in which it is active, else it is drawn."""
    parents = (first, second)

    def pick(choice: Choice) -> Value:
        name, domain = choice.name, choice.domain
        known = [parent[name] for parent in parents if name in parent and parent[name] in domain]
        return known[int(rng.integers(len(known)))] if known else draw(domain, rng)

    return walk(choices, pick)


def neighbours(choices: tuple[Choice, ...], values: Values) -> list[Point]:
    """List the points that differ in one choice by one option or step.

    A choice that becomes active takes its first option, or the middle of its scale, so that the list is short and
    always the same.

    Args:
        choices: Of the space.
        values: A point.

    Returns:
        Points that differ from ``values`` and from each other, in the order of the choices.
    """
    return [
        _with_change(choices, values, choice.name, value)
        for choice in choices
        if choice.name in values
        for value in steps_from(choice.domain, values[choice.name])
    ]


def encode(choices: tuple[Choice, ...], values: Values) -> NDArray[np.float64]:
    """Turn a point into numbers, equally many for all points of the space.

    The columns stand in the order of the choices (``encoding_columns`` names them): for a conditional choice first
    whether it is active, 1 or 0; then for an option one column each, 1 where it is chosen; for a number one column
    from 0 at ``low`` to 1 at ``high``, by logarithm where the domain is logarithmic. Inactive choices hold 0.

    Args:
        choices: Of the space.
        values: A point.

    Returns:
        ``encoded_F``, each within [0, 1]; different points of finite domains differ in it.
    """
    encoded: list[float] = []

    def pick(choice: Choice) -> Value:
        # The walk skips inactive choices; fill up their columns when it comes to the next active one.
        encoded.extend([0.0] * (starts[choice.name] - len(encoded)))
        encoded.extend([1.0] * (choice.when is not None))
        encoded.extend(_encoded_value(choice.domain, values[choice.name]))
        return values[choice.name]

    starts, num_columns = _column_starts(choices)
    walk(choices, pick)
    return np.array(encoded + [0.0] * (num_columns - len(encoded)), dtype=np.float64)


def encoding_columns(choices: tuple[Choice, ...]) -> tuple[str, ...]:
    """Name the columns of ``encode``: ``name?`` is the activity of a choice, ``name=option`` an option of it."""
    return tuple(column for choice in choices for column in _columns(choice))


def _with_change(choices: tuple[Choice, ...], values: Values, name: str, value: Value) -> Point:
    def pick(choice: Choice) -> Value:
        if choice.name == name:
            return value
        if choice.name in values and values[choice.name] in choice.domain:
            return values[choice.name]
        return _default(choice.domain)

    return walk(choices, pick)


def _default(domain: Domain) -> Value:
    return domain.options[0] if isinstance(domain, Categorical) else value_at(domain, 0.5)


def _encoded_value(domain: Domain, value: Value) -> list[float]:
    if isinstance(domain, Categorical):
        return [float(same(option, value)) for option in domain.options]
    return [position(domain, value)]


def _column_starts(choices: tuple[Choice, ...]) -> tuple[dict[str, int], int]:
    starts, start = {}, 0
    for choice in choices:
        starts[choice.name] = start
        start += (choice.when is not None) + _num_value_columns(choice.domain)
    return starts, start


def _num_value_columns(domain: Domain) -> int:
    return len(domain.options) if isinstance(domain, Categorical) else 1


def _columns(choice: Choice) -> Iterator[str]:
    if choice.when is not None:
        yield f"{choice.name}?"
    if isinstance(choice.domain, Categorical):
        yield from (f"{choice.name}={option}" for option in choice.domain.options)
    else:
        yield choice.name
