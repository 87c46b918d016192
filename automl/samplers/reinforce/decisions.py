"""Choices as a controller decides them: one of a few options each.

Shape letters: C = choices, O = options of all choices.
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from search_spaces import Categorical, Choice, Real, Value, Values, check_values
from search_spaces.scales import num_values, position, same, value_at


class Options:
    """What can be decided about one choice: an option of it, or a stretch of its scale.

    A scale with more than ``bins`` values is cut into as many stretches of equal length, by logarithm where the scale
    is logarithmic; a stretch without a value of its own is left out. Within a stretch each value is as likely.

    Args:
        choice: The choice.
        bins: Stretches of a scale, at least 2.
    """

    def __init__(self, choice: Choice, *, bins: int) -> None:
        domain = choice.domain
        self.choice = choice
        self._starts: list[int | float] = []
        if isinstance(domain, Categorical):
            self.count = len(domain.options)
            return
        count = num_values(domain)
        if not isinstance(domain, Real) and count is not None and count <= bins:
            self._starts = [domain.low + domain.step * place for place in range(count)]
        else:
            self._starts = sorted({self._first(place / bins) for place in range(bins)})
        self.count = len(self._starts)

    def _first(self, place: float) -> int | float:
        """Give the lowest value at a place of the scale or beyond."""
        domain = self.choice.domain
        assert not isinstance(domain, Categorical)
        value = value_at(domain, place)
        below = not isinstance(domain, Real) and position(domain, value) < place - 1e-9
        return value + domain.step if below and not isinstance(domain, Real) else value

    def option_of(self, value: Value) -> int:
        """Say which option a value of the domain is, from 0."""
        if isinstance(self.choice.domain, Categorical):
            return next(place for place, option in enumerate(self.choice.domain.options) if same(option, value))
        return bisect_right(self._starts, float(value)) - 1

    def value_of(self, option: int, rng: np.random.Generator) -> Value:
        """Give a value of an option, by chance where it is a stretch."""
        domain = self.choice.domain
        if isinstance(domain, Categorical):
            return domain.options[option]
        low = self._starts[option]
        last = option + 1 == self.count
        if isinstance(domain, Real):
            ends = position(domain, low), 1.0 if last else position(domain, self._starts[option + 1])
            return value_at(domain, rng.uniform(*ends))
        end = domain.high + domain.step if last else int(self._starts[option + 1])
        return int(low) + domain.step * int(rng.integers((end - int(low)) // domain.step))


class Decisions:
    """All decisions of a space, their options numbered through.

    Args:
        choices: Of the space.
        bins: Stretches of a scale.
    """

    def __init__(self, choices: tuple[Choice, ...], *, bins: int) -> None:
        self.choices = choices
        self.options = {choice.name: Options(choice, bins=bins) for choice in choices}
        self.place = {choice.name: place for place, choice in enumerate(choices)}
        counts = [options.count for options in self.options.values()]
        self.first_C = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        self.count = int(sum(counts))
        owner_O = np.repeat(np.arange(len(choices)), counts)
        self.mine_CO: NDArray[np.bool_] = owner_O[None] == np.arange(len(choices))[:, None]

    def decided(self, values: Values) -> list[tuple[int, int]] | None:
        """Read a point as the decisions that lead to it.

        Returns:
            Place of the choice and number of the option, in the order of the choices; those that leave nothing to
            decide are left out. None of what is no point of this space.
        """
        try:
            check_values(self.choices, values)
        except ValueError:
            return None
        asked = [(self.place[name], self.options[name].option_of(value)) for name, value in values.items()]
        found = sorted((place, int(self.first_C[place]) + option) for place, option in asked)
        return [(place, option) for place, option in found if self.options[self.choices[place].name].count > 1]
