"""Points that are worth a look: drawn at random, varied from the front, and next to the most promising."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from automl.samplers.context import SearchContext
from search_spaces import Point, crossover, mutate, neighbours, sample

Array = NDArray[np.float64]

_DRAWN = 100
_MUTANTS = 200
"""Of all parents together, about."""
_CROSSED = 50
_NEAR = 120
"""Neighbours that are looked at in a round; some are drawn where there are more."""
_CLIMBS = 3
"""Rounds of looking next to the most promising."""
_STARTS = 5
"""The most promising, of which neighbours are looked at."""


class Mutants:
    """Mutants of points, the same ones for a while: so what they cost is found out once.

    Args:
        context: Of the search.
    """

    def __init__(self, context: SearchContext) -> None:
        self._choices = context.choices
        self._since = -1
        self._known: dict[str, list[Point]] = {}

    def of(self, parent: Point, count: int, *, since: int) -> list[Point]:
        """Give mutants of a point.

        Args:
            parent: The point.
            count: Of them.
            since: Trials that had ended when the while began.
        """
        if since != self._since:
            self._since, self._known = since, {}
        name = repr(sorted(parent.items()))
        known = self._known.setdefault(name, [])
        for place in range(len(known), count):
            seed = hashlib.sha256(f"{since}/{place}/{name}".encode()).digest()[:8]
            rng = np.random.default_rng(int.from_bytes(seed, "big"))
            known.append(mutate(self._choices, parent, rng, num_changes=1 + int(rng.uniform() < 0.3)))
        return known[:count]


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

    def vary(self, parents: Sequence[Point], mutants: Mutants, *, since: int) -> list[Point]:
        """Change or mix points of which at least one is given."""
        each = -(-_MUTANTS // len(parents))
        changed = [mutant for parent in parents for mutant in mutants.of(parent, each, since=since)]
        return self.new(changed + [self._child(parents) for _ in range(_CROSSED)])

    def _child(self, parents: Sequence[Point]) -> Point:
        rng, choices = self._rng, self._context.choices
        first, second = (parents[int(rng.integers(len(parents)))] for _ in range(2))
        return mutate(choices, crossover(choices, first, second, rng), rng, num_changes=1 + int(rng.uniform() < 0.3))

    def new(self, points: Sequence[Point]) -> list[Point]:
        """Keep those that are not known, and know them from now on."""
        found = []
        for values in points:
            if (name := self._context.name(values)) not in self._names:
                self._names.add(name)
                found.append(values)
        return found

    def climb(self, points: list[Point], gain_C: Array, judge: Callable[[Sequence[Point]], Array]) -> list[Point]:
        """Sort points, the most promising first, and go on to neighbours as long as that finds a better one.

        Args:
            points: At least one.
            gain_C: Of each.
            judge: Gives the gain of further points.
        """
        for _ in range(_CLIMBS):
            near = self.new(
                [
                    each
                    for start in np.argsort(-gain_C, kind="stable")[:_STARTS]
                    for each in neighbours(
                        self._context.choices, points[int(start)], most=_NEAR // _STARTS, rng=self._rng
                    )
                ]
            )
            if not near:
                break
            points, gain_C = [*points, *near], np.concatenate([gain_C, judge(near)])
            if int(np.argmax(gain_C)) < len(points) - len(near):
                break
        return [points[int(place)] for place in np.argsort(-gain_C, kind="stable")]
