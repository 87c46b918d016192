import itertools
import math
from collections import Counter

import numpy as np
import pytest

from search_spaces import (
    Categorical,
    Choice,
    Integer,
    Real,
    Values,
    all_of,
    at_least,
    check_values,
    crossover,
    encode,
    encoding_columns,
    equals,
    mutate,
    neighbours,
    sample,
    walk,
)
from search_spaces.choices import Value

CHOICES = (
    Choice(name="depth", domain=Integer(low=1, high=3)),
    Choice(name="layer2.width", domain=Integer(low=8, high=24, step=8), when=at_least("depth", 2)),
    Choice(name="kind", domain=Categorical(options=("plain", "gated"))),
    Choice(name="gated.ratio", domain=Categorical(options=(0.25, 0.5)), when=equals("kind", "gated")),
    Choice(
        name="wide", domain=Categorical(options=(True,)), when=all_of(at_least("depth", 3), equals("kind", "gated"))
    ),
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def all_points() -> list[dict[str, Value]]:
    """Every point of CHOICES, by trying all values of all choices."""
    grids = [
        domain.options if isinstance(domain, Categorical) else tuple(range(domain.low, domain.high + 1, domain.step))
        for domain in (choice.domain for choice in CHOICES)
        if not isinstance(domain, Real)
    ]
    found = []
    for combination in itertools.product(*grids):
        values = dict(zip((choice.name for choice in CHOICES), combination, strict=True))
        point = walk(CHOICES, lambda choice, values=values: values[choice.name])  # type: ignore[misc]
        if point not in found:
            found.append(point)
    return found


def differences(first: Values, second: Values) -> set[str]:
    return {name for name in {*first, *second} if first.get(name) != second.get(name)}


def test_samples_reach_every_point(rng: np.random.Generator) -> None:
    found = Counter(tuple(sample(CHOICES, rng).items()) for _ in range(2000))
    assert set(found) == {tuple(point.items()) for point in all_points()}


def test_samples_are_plain_python_values(rng: np.random.Generator) -> None:
    choices = (*CHOICES, Choice(name="rate", domain=Real(low=1e-4, high=1e-1, log=True)))
    assert {type(value) for value in sample(choices, rng).values()} <= {str, int, float, bool}


def test_same_generator_same_points() -> None:
    points = [[sample(CHOICES, np.random.default_rng(seed)) for _ in range(3)] for seed in (1, 1, 2)]
    assert points[0] == points[1]


def test_mutation_always_differs_and_changes_one_choice_and_what_hangs_on_it(rng: np.random.Generator) -> None:
    hangs_on = {"depth": {"layer2.width", "wide"}, "kind": {"gated.ratio", "wide"}}
    for point in all_points():
        for _ in range(20):
            changed = differences(point, mutate(CHOICES, point, rng))
            assert changed
            root = next(choice.name for choice in CHOICES if choice.name in changed)
            assert changed <= {root} | hangs_on.get(root, set())


def test_mutation_reaches_every_neighbour(rng: np.random.Generator) -> None:
    for point in all_points():
        reached = [mutate(CHOICES, point, rng) for _ in range(300)]
        assert all(neighbour in reached for neighbour in neighbours(CHOICES, point))


def test_mutation_of_several_choices_changes_as_many(rng: np.random.Generator) -> None:
    choices = tuple(Choice(name=f"choice{index}", domain=Integer(low=0, high=9)) for index in range(6))
    point = sample(choices, rng)
    for num_changes in (1, 3, 6, 50):
        assert len(differences(point, mutate(choices, point, rng, num_changes=num_changes))) == min(num_changes, 6)


def test_mutation_moves_numbers_to_nearby_values_most_of_the_time(rng: np.random.Generator) -> None:
    choices = (
        Choice(name="width", domain=Integer(low=0, high=1000, step=10)),
        Choice(name="rate", domain=Real(low=1e-6, high=1.0, log=True)),
    )
    moved = [mutate(choices, {"width": 500, "rate": 1e-3}, rng, num_changes=2) for _ in range(500)]
    near_widths = sum(abs(int(point["width"]) - 500) <= 20 for point in moved)
    near_rates = sum(abs(math.log10(float(point["rate"])) + 3) < 1.2 for point in moved)
    assert 350 < near_widths < 450
    assert 350 < near_rates < 490


def test_mutation_of_the_only_point_gives_it_back(rng: np.random.Generator) -> None:
    choices = (
        Choice(name="kind", domain=Categorical(options=("plain",))),
        Choice(name="width", domain=Integer(low=3, high=3)),
    )
    assert mutate(choices, {"kind": "plain", "width": 3}, rng) == {"kind": "plain", "width": 3}


def test_mutation_needs_at_least_one_change(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="num_changes must be at least 1, got 0"):
        mutate(CHOICES, sample(CHOICES, rng), rng, num_changes=0)


def test_true_and_one_are_different_options(rng: np.random.Generator) -> None:
    choices = (Choice(name="flag", domain=Categorical(options=(True, 1))),)
    assert mutate(choices, {"flag": True}, rng)["flag"] is not True
    assert neighbours(choices, {"flag": 1})[0]["flag"] is True
    assert encode(choices, [{"flag": True}]).tolist() == [[1, 0]]


def test_points_of_a_wider_space_are_brought_back(rng: np.random.Generator) -> None:
    narrow = (Choice(name="width", domain=Integer(low=1, high=4)),)
    for _ in range(20):
        check_values(narrow, mutate(narrow, {"width": 9, "gone": 1}, rng))
        check_values(narrow, crossover(narrow, {"width": 9}, {"width": 7}, rng))


def test_crossover_takes_every_value_from_a_parent_where_one_has_it(rng: np.random.Generator) -> None:
    points = all_points()
    for _ in range(300):
        first, second = (points[int(index)] for index in rng.integers(len(points), size=2))
        for name, value in crossover(CHOICES, first, second, rng).items():
            offered = [parent[name] for parent in (first, second) if name in parent]
            assert value in offered or not offered


def test_crossover_of_equal_parents_is_the_parent(rng: np.random.Generator) -> None:
    for point in all_points():
        assert crossover(CHOICES, point, point, rng) == point


def test_crossover_mixes_both_parents(rng: np.random.Generator) -> None:
    choices = tuple(Choice(name=f"choice{index}", domain=Integer(low=0, high=1)) for index in range(20))
    zeros, ones = dict.fromkeys((c.name for c in choices), 0), dict.fromkeys((c.name for c in choices), 1)
    assert 3 <= sum(int(value) for value in crossover(choices, zeros, ones, rng).values()) <= 17


def test_neighbours_are_those_written_out() -> None:
    point = {"depth": 2, "layer2.width": 8, "kind": "plain"}
    assert neighbours(CHOICES, point) == [
        {"depth": 1, "kind": "plain"},
        {"depth": 3, "layer2.width": 8, "kind": "plain"},
        {"depth": 2, "layer2.width": 16, "kind": "plain"},
        {"depth": 2, "layer2.width": 8, "kind": "gated", "gated.ratio": 0.25},
    ]


def test_neighbours_activate_choices_at_the_middle_of_their_scale() -> None:
    assert {"depth": 2, "layer2.width": 16, "kind": "plain"} in neighbours(CHOICES, {"depth": 1, "kind": "plain"})


def test_encoding_is_that_written_out() -> None:
    point = {"depth": 2, "layer2.width": 16, "kind": "gated", "gated.ratio": 0.5}
    columns = dict(zip(encoding_columns(CHOICES), encode(CHOICES, [point])[0].tolist(), strict=True))
    assert columns == {
        "depth": 0.5,
        "layer2.width?": 1,
        "layer2.width": 0.5,
        "kind=plain": 0,
        "kind=gated": 1,
        "gated.ratio?": 1,
        "gated.ratio=0.25": 0,
        "gated.ratio=0.5": 1,
        "wide?": 0,
        "wide=True": 0,
    }


def test_logarithmic_numbers_are_encoded_by_magnitude() -> None:
    choices = (
        Choice(name="rate", domain=Real(low=1e-4, high=1.0, log=True)),
        Choice(name="width", domain=Integer(low=4, high=64, log=True)),
    )
    np.testing.assert_allclose(encode(choices, [{"rate": 1e-3, "width": 16}]), [[0.25, 0.5]])


def test_encoding_tells_all_points_apart() -> None:
    points = all_points()
    assert len(np.unique(encode(CHOICES, points), axis=0)) == len(points) == 3 * 3 * 3 - 2 * 3


def test_what_is_forbidden_is_drawn_again() -> None:
    choices = (Choice(name="width", domain=Integer(low=1, high=4)),)
    rng = np.random.default_rng(0)
    drawn = {sample(choices, rng, forbids=_odd)["width"] for _ in range(50)}
    assert drawn == {2, 4}
    with pytest.raises(ValueError, match=r"none of 1000 points drawn at random is allowed; of the last: 3 is odd"):
        sample((Choice(name="width", domain=Integer(low=3, high=3)),), rng, forbids=_odd)


def _odd(values: Values) -> str:
    return f"{values['width']} is odd" if int(values["width"]) % 2 else ""
