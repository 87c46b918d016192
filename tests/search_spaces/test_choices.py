import pytest

from search_spaces import Categorical, Choice, Domain, Integer, Real, at_least, check_values, walk

CHOICES = (
    Choice(name="depth", domain=Integer(low=1, high=3)),
    Choice(name="layer2.width", domain=Integer(low=8, high=24, step=8), when=at_least("depth", 2)),
    Choice(name="rate", domain=Real(low=0.1, high=1.0)),
)


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Categorical(options=("a", 1)), ["a", 1], ["b", True, 1.0]),
        (Integer(low=2, high=8, step=3), [2, 5, 8], [3, 11, -1, 5.0, "5"]),
        (Integer(low=0, high=1), [0, 1], [True, False]),
        (Real(low=-1, high=1), [-1, 0.5, 1], [1.1, "0", True]),
    ],
)
def test_domains_hold_what_they_should(domain: Domain, inside: list[object], outside: list[object]) -> None:
    assert all(value in domain for value in inside)
    assert not any(value in domain for value in outside)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Categorical(options=()), "at least one and differ"),
        (lambda: Categorical(options=("a", "a")), "at least one and differ"),
        (lambda: Integer(low=2, high=1), "low <= high"),
        (lambda: Integer(low=0, high=7, step=2), "whole number of steps"),
        (lambda: Integer(low=0, high=7, log=True), "log needs low >= 1"),
        (lambda: Real(low=0, high=float("inf")), "finite"),
        (lambda: Real(low=0, high=1, log=True), "log needs low > 0"),
    ],
)
def test_domains_that_cannot_be_are_refused(make: type[Domain], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_walk_asks_active_choices_in_their_order() -> None:
    asked: list[str] = []

    def pick(choice: Choice) -> int:
        asked.append(choice.name)
        return 1

    assert walk(CHOICES, pick) == {"depth": 1, "rate": 1}
    assert asked == ["depth", "rate"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 0.5}, "'depth' is not chosen; it can be Integer"),
        ({"depth": 2, "rate": 0.5}, "'layer2.width' is not chosen"),
        ({"depth": 9, "rate": 0.5}, "'depth' cannot be 9; it can be Integer"),
        ({"depth": 1, "layer2.width": 8, "rate": 0.5}, r"layer2.width are not active choices here; active are"),
    ],
)
def test_what_is_no_point_is_refused_with_what_can_be(values: dict[str, int | float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_values(CHOICES, values)
    check_values(CHOICES, {"depth": 2, "layer2.width": 16, "rate": 1})
