"""Settings that are either fixed or searched: a value, a list of values, or a range."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Strict, Tag, model_serializer, model_validator

from automl.config.part import NaturalReal, Number, Part, Plain, PositiveInt, PositiveReal
from search_spaces import Categorical, Domain, Integer, Real, Value

Warmup = Annotated[float, Field(ge=0, lt=1)]
N = TypeVar("N", bound=int | float)
T = TypeVar("T")
R = TypeVar("R")


class Range(Part, Generic[N]):
    """A range to search: whole numbers where both ends are written as such, else real numbers."""

    low: N
    """Lowest value."""
    high: N
    """Highest value, included."""
    step: int | None = Field(default=None, ge=1)
    """Distance of neighbouring values; for whole numbers only."""
    log: bool = False
    """Whether draws spread evenly over magnitudes (1, 10, 100) instead of over values."""

    @model_validator(mode="after")
    def _spans_something(self) -> "Range[N]":
        """Reject what no domain can hold, in the words of the config."""
        low: int | float = self.low
        high: int | float = self.high
        if low > high:
            raise ValueError(f"low must not exceed high, got low {low} and high {high}")
        if self.log and low <= 0:
            raise ValueError(f"a range with log needs low above 0, got {low}")
        if self.step is None:
            return self
        if not (isinstance(low, int) and isinstance(high, int)):
            message = f"step is for whole numbers; leave it out, or write a list, got {low} to {high}"
            raise ValueError(message)
        if self.log:
            raise ValueError(f"a range has either step or log, got step {self.step} and log true; leave one out")
        if (high - low) % self.step:
            raise ValueError(f"high must lie a whole number of steps above low, got {low} to {high} by {self.step}")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write only what was said, so that a resolved config reads as its author wrote it."""
        return {
            key: value for key, value in handler(self).items() if value not in (None, False) or key in ("low", "high")
        }

    def domain(self) -> Integer | Real:
        """Give the range as a search space knows it."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return Integer(low=self.low, high=self.high, step=self.step or 1, log=self.log)
        return Real(low=float(self.low), high=float(self.high), log=self.log)


class NumberRange(Range[Number]):
    """A range of numbers: whole where both ends are written so (1 to 4), else real (1.0 to 4.0)."""


class PositiveIntRange(Range[PositiveInt]):
    """A range of whole numbers from 1 on."""


class PositiveRealRange(Range[PositiveReal]):
    """A range of numbers above 0."""


class NaturalRealRange(Range[NaturalReal]):
    """A range of numbers from 0 on."""


class WarmupRange(Range[Warmup]):
    """A range of shares, from 0 to below 1."""


# The tags cannot be keys of a config, so that the place of an error shows them nowhere.
VALUE, LIST, RANGE = "=value", "=list", "=range"


def _form(setting: Any) -> str:
    if isinstance(setting, list | tuple):
        return LIST
    return RANGE if isinstance(setting, dict | Range) else VALUE


def _value_or_list(setting: Any) -> str:
    return LIST if isinstance(setting, list | tuple) else VALUE


Several = Annotated[tuple[T, ...], Strict(False), Field(min_length=1)]

Searchable = Annotated[
    Annotated[T, Tag(VALUE)] | Annotated[Several[T], Tag(LIST)] | Annotated[R, Tag(RANGE)], Discriminator(_form)
]
"""A number that may be searched; the second parameter is its ``Range``."""

OneOrSeveral = Annotated[Annotated[T, Tag(VALUE)] | Annotated[Several[T], Tag(LIST)], Discriminator(_value_or_list)]
"""A setting without an order that may be searched: a value, or a list to choose from."""

SearchablePlain = Searchable[Plain, NumberRange]
"""Anything that may be searched, of the type that it was written as."""


def domain_of(setting: object) -> Domain | None:
    """Tell over what a setting is searched; None where it is fixed."""
    if isinstance(setting, Range):
        return setting.domain()
    if isinstance(setting, tuple):
        return Categorical(options=setting)
    return None


def possible_values(setting: object) -> tuple[Value, ...]:
    """Give the values that a setting can take; of a range its two ends."""
    if isinstance(setting, Range):
        return (setting.low, setting.high)
    if isinstance(setting, tuple):
        return setting
    assert isinstance(setting, str | int | float | bool)
    return (setting,)
