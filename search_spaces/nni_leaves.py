"""Mutables of NNI, each as one choice or several."""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from search_spaces.choices import Categorical, Domain, Integer, Real, Value, Values

_MOST_OPTIONS = 256
"""Options that a list of values is taken as; what has more is seen otherwise."""
_TAIL = 0.00135
"""Share of a distribution without an end that is left out on either side: beyond three standard deviations."""

Requirement = tuple[str, tuple[Value, ...]]
"""A choice, and the values of it under which something is reached."""
Path = tuple[Requirement, ...]


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The condition of a mutable that stands within others: at least one of the paths to it is open.

    Args:
        paths: All requirements of a path must hold.
    """

    paths: tuple[Path, ...]

    def __call__(self, values: Values) -> bool:
        """Tell whether a student with these values has the mutable."""
        return any(all(name in values and values[name] in open_ for name, open_ in path) for path in self.paths)

    @property
    def names(self) -> set[str]:
        """The choices that it reads."""
        return {name for path in self.paths for name, _ in path}


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """A mutable, as choices.

    Args:
        mutable: Of NNI.
        domains: By name of the choice; several where any number of things may be picked.
        decode: From the values of these choices to what NNI's sample holds under the mutable's label.
        paths: To each place where it stands, what must be chosen to reach it.
    """

    mutable: Any
    domains: Mapping[str, Domain]
    decode: Callable[[Values], object]
    paths: list[Path] = field(default_factory=list)

    @property
    def when(self) -> Reached | None:
        """Its condition; None where it is always there."""
        return None if () in self.paths else Reached(paths=tuple(dict.fromkeys(self.paths)))


EMPTY = Leaf(mutable=None, domains={}, decode=lambda values: None)
"""What leaves nothing to choose, as a constraint."""


def categorical(label: str, mutable: Any, *, is_depth: bool) -> Leaf:
    """Take one of a list: an option for each."""
    options = options_of(mutable.values)
    # A depth is a number by what it does; of all else NNI says that numbers are options without an order.
    domain = _even(options) if is_depth else None
    places = dict(zip(options, mutable.values, strict=True))
    return Leaf(
        mutable=mutable,
        domains={label: domain or Categorical(options=options)},
        decode=lambda values: places[values[label]],
    )


def several(label: str, mutable: Any) -> Leaf:
    """Take a pick of some from a list: an option for each such pick, or yes and no for each thing in it."""
    options, count = options_of(mutable.values), mutable.n_chosen
    if count is not None and math.comb(len(options), count) <= _MOST_OPTIONS:
        named = {_name_of(pick, options): pick for pick in itertools.combinations(range(len(options)), count)}
        return Leaf(
            mutable=mutable,
            domains={label: Categorical(options=tuple(named))},
            decode=lambda values: [mutable.values[place] for place in named[values[label]]],
        )
    names = [f"{label}/{place}" for place in range(len(options))]
    return Leaf(
        mutable=mutable,
        domains={name: Categorical(options=(True, False)) for name in names},
        decode=lambda values: [value for name, value in zip(names, mutable.values, strict=True) if values[name]],
    )


def number(label: str, mutable: Any) -> Leaf:
    """Take a number from a distribution: a range, or an option for each step where it has steps."""
    low = mutable.low if math.isfinite(mutable.low) else mutable.qclip(float(mutable.distribution.ppf(_TAIL)))
    high = mutable.high if math.isfinite(mutable.high) else mutable.qclip(float(mutable.distribution.ppf(1 - _TAIL)))
    domain: Domain = Real(low=float(low), high=float(high), log=bool(mutable.log_distributed))
    if mutable.quantize is not None and (high - low) / mutable.quantize < _MOST_OPTIONS:
        first, last = math.floor(low / mutable.quantize), math.ceil(high / mutable.quantize)
        # As they would be written: three steps of .1 are .3, and not what the product gives.
        steps = [float(f"{mutable.qclip(step * mutable.quantize):.12g}") for step in range(first, last + 1)]
        steps = list(dict.fromkeys(min(max(step, low), high) for step in steps))
        whole = tuple(int(step) if step.is_integer() else step for step in steps)
        domain = _even(whole) or Categorical(options=tuple(steps))
    return Leaf(
        mutable=mutable, domains={label: domain}, decode=lambda values: float(mutable.qclip(float(values[label])))
    )


def _even(options: tuple[Value, ...]) -> Integer | None:
    """Give whole numbers that stand at even steps as a range; None where they do not."""
    if len(options) < 2 or not all(type(option) is int for option in options):
        return None
    numbers = [int(option) for option in options]
    step = numbers[1] - numbers[0]
    if step < 1 or any(after - before != step for before, after in itertools.pairwise(numbers)):
        return None
    return Integer(low=numbers[0], high=numbers[-1], step=step)


def options_of(values: list[object]) -> tuple[Value, ...]:
    """Name the values of a choice: plain ones by themselves, others as Python writes them."""
    named = tuple(value if type(value) in (str, int, float, bool) else repr(value) for value in values)
    if len(set(map(repr, named))) < len(named) or any(" at 0x" in str(name) for name in named):
        # Two that look alike, or an address, which is another in the next process.
        named = tuple(f"option {place}" for place in range(len(values)))
    return named  # type: ignore[return-value] # mypy does not follow `type(value) in`


def _name_of(places: tuple[int, ...], options: tuple[Value, ...]) -> Value:
    return options[places[0]] if len(places) == 1 else " + ".join(str(options[place]) for place in places)
