"""Options of losses: which there are, of what type, and within which bounds, all told before anything is trained."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

Compare = TypeVar("Compare", bound=Callable[..., object])


class Bounds(NamedTuple):
    """Where a number must lie.

    Args:
        low: Lowest value.
        high: Highest value.
        open: Whether both ends are left out.
    """

    low: float = 0.0
    high: float = math.inf
    open: bool = False

    def hold(self, value: float) -> bool:
        """Tell whether a finite number lies within."""
        return self.low < value < self.high if self.open else self.low <= value <= self.high

    def __str__(self) -> str:
        low, high = f"{self.low:g}", f"{self.high:g}"
        if self.open:
            return f"above {low}" if self.high == math.inf else f"above {low} and below {high}"
        return f"of at least {low}" if self.high == math.inf else f"from {low} to {high}"


_ALWAYS = {"temperature": Bounds(open=True)}
"""Bounds that hold for every loss with such an option, the user's own too."""


def bounded(**bounds: Bounds) -> Callable[[Compare], Compare]:
    """Say within which bounds options of a loss lie; those without any may be any finite number."""

    def mark(loss: Compare) -> Compare:
        loss.option_bounds = bounds  # type: ignore[attr-defined] # functions and classes take attributes
        return loss

    return mark


def options_of(loss: Callable[..., object]) -> dict[str, object]:
    """Give the options of a loss with their defaults."""
    parameters = inspect.signature(loss).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def check_options(name: str, loss: Callable[..., object], options: Mapping[str, object]) -> None:
    """Reject options that a loss cannot take.

    Args:
        name: Of the loss, for messages.
        loss: A function, or a class of modules.
        options: As the recipe gives them.

    Raises:
        ValueError: One is unknown, of another type than its default, or out of bounds.
    """
    known = options_of(loss)
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(
            f"loss {name!r} has no option {', '.join(unknown)}; its options are {', '.join(sorted(known))}"
        )
    bounds = {**_ALWAYS, **getattr(loss, "option_bounds", {})}
    for option, value in options.items():
        if expected := _misfit(value, known[option], bounds.get(option)):
            raise ValueError(f"{option} of {name!r} must be {expected}, got {value!r}")


def _misfit(value: object, default: object, bounds: Bounds | None) -> str:
    """Say what was expected in place of a value; nothing where it fits, or where the default tells no type."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "a text"
    if bounds is None and not isinstance(default, int | float):
        return ""
    whole = isinstance(default, int)
    noun = "a whole number" if whole else "a number"
    if isinstance(value, int if whole else int | float) and not isinstance(value, bool):
        assert isinstance(value, int | float)
        if math.isfinite(value) and (bounds is None or bounds.hold(value)):
            return ""
    return noun if bounds is None else f"{noun} {bounds}"
