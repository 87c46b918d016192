"""Drawing, changing and mixing points, written once for all spaces.

Everything here takes choices, not a space: a search joins the choices of the architecture with those of the recipe.
All points that are given back pass ``check_values``.
"""

from collections.abc import Callable

import numpy as np

from search_spaces.choices import Categorical, Choice, Domain, Value, Values, walk
from search_spaces.scales import draw, draw_other, num_values, steps_from, value_at

Point = dict[str, Value]
"""Active choices of a space with their values."""

MOST_DRAWS = 1000
"""Points drawn before a space counts as one whose rules nothing keeps."""


def sample(
    choices: tuple[Choice, ...], rng: np.random.Generator, *, forbids: Callable[[Values], str] | None = None
) -> Point:
    """Draw a point; each active choice is drawn from its whole domain.

    Args:
        choices: Of the space.
        rng: Source of chance.
        forbids: As the space's; a point that it names a reason for is drawn again.

    Raises:
        ValueError: All of very many points are forbidden.
    """
    reason = ""
    for _ in range(MOST_DRAWS):
        point = walk(choices, lambda choice: draw(choice.domain, rng))
        if forbids is None or not (reason := forbids(point)):
            return point
    raise ValueError(f"none of {MOST_DRAWS} points drawn at random is allowed; of the last: {reason}")


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


def neighbours(
    choices: tuple[Choice, ...], values: Values, *, most: int | None = None, rng: np.random.Generator | None = None
) -> list[Point]:
    """List the points that differ in one choice by one option or step.

    A choice that becomes active takes its first option, or the middle of its scale, so that the list is short and
    always the same.

    Args:
        choices: Of the space.
        values: A point.
        most: Where there are more, so many are drawn; None gives all.
        rng: Source of chance, needed where ``most`` is given.

    Returns:
        Points that differ from ``values`` and from each other, in the order of the choices.
    """
    changes = [
        (choice.name, value)
        for choice in choices
        if choice.name in values
        for value in steps_from(choice.domain, values[choice.name])
    ]
    if most is not None and len(changes) > most:
        assert rng is not None
        changes = [changes[int(index)] for index in np.sort(rng.permutation(len(changes))[:most])]
    return [_with_change(choices, values, name, value) for name, value in changes]


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
