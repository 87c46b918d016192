import itertools

import numpy as np
import pytest

from search_spaces import Categorical, Choice, Integer, Real, Values, at_least, equals, size, walk
from search_spaces.choices import Value
from search_spaces.conditions import Condition


def random_choices(rng: np.random.Generator) -> tuple[Choice, ...]:
    choices: list[Choice] = []
    for index in range(int(rng.integers(1, 7))):
        domain = (
            Integer(low=0, high=int(rng.integers(1, 3)))
            if rng.uniform() < 0.5
            else Categorical(options=("a", "b", "c")[: int(rng.integers(1, 4))])
        )
        choices.append(Choice(name=f"choice{index}", domain=domain, when=random_condition(choices, rng)))
    return tuple(choices)


def random_condition(before: list[Choice], rng: np.random.Generator) -> Condition | None:
    if not before or rng.uniform() < 0.3:
        return None
    names = [before[int(index)].name for index in rng.integers(len(before), size=2)]
    kind = int(rng.integers(4))

    def condition(values: Values) -> bool:
        if kind == 0:
            return names[0] in values and values[names[0]] in ("a", 1)
        if kind == 1:
            return values.get(names[0]) == "a" or values.get(names[1]) == 0
        if kind == 2:
            return len(values) % 2 == 0
        return sum(value == 1 for value in values.values()) >= 1

    return condition


def points_by_trying_all(choices: tuple[Choice, ...]) -> int:
    found = set()
    for picks in itertools.product(range(3), repeat=len(choices)):
        by_name = dict(zip((choice.name for choice in choices), picks, strict=True))

        def pick(choice: Choice, by_name: dict[str, int] = by_name) -> Value:
            domain = choice.domain
            options = domain.options if isinstance(domain, Categorical) else range(int(domain.high) + 1)
            return options[by_name[choice.name] % len(options)]

        found.add(tuple(walk(choices, pick).items()))
    return len(found)


@pytest.mark.parametrize("seed", range(60))
def test_count_equals_that_of_trying_all(seed: int) -> None:
    choices = random_choices(np.random.default_rng(seed))
    assert size(choices) == points_by_trying_all(choices)


def test_huge_space_is_counted_exactly() -> None:
    choices = [Choice(name="depth", domain=Integer(low=1, high=30))]
    for layer in range(1, 31):
        exists = at_least("depth", layer)
        choices += [Choice(name=f"layer{layer}.width", domain=Integer(low=1, high=100), when=exists)]
    assert size(tuple(choices)) == sum(100**depth for depth in range(1, 31))


def test_real_numbers_make_it_infinite_unless_they_cannot_be_reached() -> None:
    kind = Choice(name="kind", domain=Categorical(options=("a", "b")))
    rate = Choice(name="rate", domain=Real(low=0, high=1), when=equals("kind", "c"))
    fixed = Choice(name="fixed", domain=Real(low=0.5, high=0.5))
    assert size((kind, rate, fixed)) == 2
    assert size((kind, Choice(name="rate", domain=Real(low=0, high=1)))) is None


def test_counting_gives_up_at_the_bound() -> None:
    def odd(values: Values) -> bool:
        return sum(int(value) for value in values.values()) % 2 == 1  # Reads everything, so nothing can be shared.

    choices = tuple(
        Choice(name=f"choice{index}", domain=Integer(low=0, high=3), when=odd if index else None) for index in range(5)
    )
    assert size(choices, max_visits=10) is None
    assert size(choices) == points_of(choices)


def points_of(choices: tuple[Choice, ...]) -> int:
    seen = set()
    for picks in itertools.product(range(4), repeat=len(choices)):
        values = iter(picks)
        seen.add(tuple(walk(choices, lambda _, values=values: next(values)).items()))  # type: ignore[misc]
    return len(seen)


def test_no_choices_are_one_point() -> None:
    assert size(()) == 1
