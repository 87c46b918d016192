"""What can be chosen, and under which condition: the vocabulary of every search space.

A point of a space is a plain dict from the names of its *active* choices to values. ``walk`` is the one place that
decides which choices are active; sampling, mutation, proposing and checking all go through it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Value = str | int | float | bool
Values = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """One of a few options without an order."""

    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Reject no options, or one option twice."""
        if not self.options or len(set(map(repr, self.options))) < len(self.options):
            raise ValueError(f"options must be at least one and differ, got {list(self.options)}")

    def __contains__(self, value: object) -> bool:
        """Tell whether ``value`` is one of the options, of the same type."""
        return any(type(value) is type(option) and value == option for option in self.options)


@dataclass(frozen=True, kw_only=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included, in steps; ``log`` spreads draws over magnitudes."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        """Reject an empty range, and steps or a start that a logarithm cannot take."""
        if self.low > self.high or self.step < 1:
            raise ValueError(f"need low <= high and step >= 1, got {self}")
        if (self.high - self.low) % self.step:
            raise ValueError(f"high must lie a whole number of steps above low, got {self}")
        if self.log and (self.low < 1 or self.step != 1):
            raise ValueError(f"log needs low >= 1 and step 1, got {self}")

    def __contains__(self, value: object) -> bool:
        """Tell whether ``value`` is a whole number that lies on a step."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0


@dataclass(frozen=True, kw_only=True)
class Real:
    """A real number from ``low`` to ``high``; ``log`` spreads draws over magnitudes."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Reject an empty or infinite range, and a start that a logarithm cannot take."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"need finite low <= high, got {self}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0, got {self}")

    def __contains__(self, value: object) -> bool:
        """Tell whether ``value`` is a number within the range."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high


Domain = Categorical | Integer | Real


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One thing to choose.

    Args:
        name: Unique in its space. A conditional choice carries the name of what it depends on as a prefix
            (``stage2.width``); one name never has two domains.
        domain: What it can be.
        when: Whether it is asked at all, from the values of choices that stand before it; None means always.
    """

    name: str
    domain: Domain
    when: Callable[[Values], bool] | None = None


def walk(choices: tuple[Choice, ...], pick: Callable[[Choice], Value]) -> dict[str, Value]:
    """Visit the choices in order and ask ``pick`` for a value of each that is active.

    Args:
        choices: In an order in which conditions look backwards only.
        pick: Gives the value of an active choice.

    Returns:
        Values of the active choices, in their order.
    """
    values: dict[str, Value] = {}
    for choice in choices:
        if choice.when is None or choice.when(values):
            values[choice.name] = pick(choice)
    return values


def check_values(choices: tuple[Choice, ...], values: Values) -> None:
    """Make sure that ``values`` is a point of the space: every active choice once, within its domain, nothing else.

    Raises:
        ValueError: It is not; the message names the first choice that is wrong and what it can be.
    """

    def pick(choice: Choice) -> Value:
        if choice.name not in values:
            raise ValueError(f"{choice.name!r} is not chosen; it can be {choice.domain}")
        if values[choice.name] not in choice.domain:
            raise ValueError(f"{choice.name!r} cannot be {values[choice.name]!r}; it can be {choice.domain}")
        return values[choice.name]

    active = walk(choices, pick)
    if extra := sorted(set(values) - set(active)):
        raise ValueError(f"{', '.join(extra)} are not active choices here; active are {', '.join(sorted(active))}")
