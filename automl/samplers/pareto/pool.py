"""Points that are worth a look: drawn at random, varied from the front, and next to the most promising."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from automl.samplers.context import SearchContext
from automl.samplers.pareto.features import Point
from search_spaces import crossover, mutate, neighbours, sample

Array = NDArray[np.float64]

_DRAWN = 100
_VARIED = 250
_NEAR = 150
"""Neighbours that are looked at in a round, drawn where there are more."""
_CLIMBS = 3
"""Rounds of looking next to the most promising."""
_STARTS = 5
"""The most promising, of which neighbours are looked at."""


class Pool:
    """Candidates, each once and none that is known.

    Args:
        context: Of the search.
        names: Of the points that are known.
        rng: Source of chance.
    """

    def __init__(self, context: SearchContext, names: frozenset[object], rng: np.random.Generator) -> None:
        self._context = context
        self._names = set(names)
        self._rng = rng

    def draw(self) -> list[Point]:
        """Draw points at random; fewer than usual, or none, where most of the space is known."""
        return self.new([sample(self._context.choices, self._rng) for _ in range(_DRAWN)])

    def vary(self, parents: Sequence[Point]) -> list[Point]:
        """Change or mix points of which at least one is given."""
        return self.new([self._child(parents) for _ in range(_VARIED)])

    def _child(self, parents: Sequence[Point]) -> Point:
        rng, choices = self._rng, self._context.choices
        first, second = (parents[int(rng.integers(len(parents)))] for _ in range(2))
        child = crossover(choices, first, second, rng) if rng.uniform() < 0.5 else first
        return mutate(choices, child, rng, num_changes=1 + int(rng.uniform() < 0.3))

    def new(self, points: Sequence[Point]) -> list[Point]:
        """Keep those that are not known, and know them from now on."""
        found = []
        for values in points:
            if (name := self._context.name(values)) not in self._names:
                self._names.add(name)
                found.append(values)
        return found

    def climb(self, points: list[Point], gain_C: Array, judge: Callable[[Sequence[Point]], Array]) -> Point:
        """Find the most promising point, going on from neighbour to neighbour as long as that helps.

        Args:
            points: At least one.
            gain_C: Of each.
            judge: Gives the gain of further points.
        """
        for _ in range(_CLIMBS):
            starts = np.argsort(-gain_C, kind="stable")[:_STARTS]
            near = self.new(
                [each for start in starts for each in neighbours(self._context.choices, points[int(start)])]
            )
            if not near:
                break
            points, gain_C = [*points, *near], np.concatenate([gain_C, judge(near)])
            if int(np.argmax(gain_C)) < len(points) - len(near):
                break
        return points[int(np.argmax(gain_C))]
