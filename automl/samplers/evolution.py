"""Regularised evolution with Pareto tournaments.

Shape letters: K = students that were trained and keep the limits.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.front.ranking import places
from automl.samplers.context import SearchContext
from automl.samplers.points import first_new, other_points
from automl.samplers.scalarised import Told
from search_spaces import Point, crossover, mutate

_CHILDREN = 60
"""Children that are bred before a proposal is drawn at random, since all of them were known."""
_PER_CHANGE = 20
"""Children with so many changes before the next ones have one more: near a champion all is known at last."""

Standing = tuple[int, float]


class Evolution:
    """Proposes a child of whoever wins a tournament among the last to end (Real et al., 2019, algorithm 1).

    https://arxiv.org/abs/1802.01548

    The oldest leaves the population, not the worst: a champion has to prove itself by its children, and one that was
    lucky once is forgotten. Where the paper compares accuracies, students are compared as in NSGA-II (Deb et al., 2002,
    section VI): one that keeps the limits before one that breaks them, of two that break them the one that does so by
    less, else by the rank of the front, then by how lonely it stands there. Failures come last.

    Unlike in the paper no student is proposed twice, and children of the same parents change more the longer none of
    them is new.

    Args:
        context: Of the search.
        seed: Of this proposal.
        population_size: Trials that are drawn at random first, and how many of those that ended last may be parents.
        tournament_size: Students that are drawn from the population, with replacement, of which the best is the parent.
        crossover_probability: How often a child mixes two winners before it is mutated; 0 in the paper.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(
        self,
        context: SearchContext,
        *,
        seed: int,
        population_size: int = 40,
        tournament_size: int = 10,
        crossover_probability: float = 0.0,
    ) -> None:
        if population_size < 2:
            raise ValueError(f"population_size must be at least 2, got {population_size}")
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"tournament_size must lie from 1 to population_size ({population_size}), got {tournament_size}"
            )
        if not 0 <= crossover_probability <= 1:
            raise ValueError(f"crossover_probability must lie from 0 to 1, got {crossover_probability}")
        self._context = context
        self._seed = seed
        self._population_size = population_size
        self._tournament_size = tournament_size
        self._crossover_probability = crossover_probability

    def __call__(self, study: Study, trial: FrozenTrial) -> Point:
        """Propose a point."""
        rng = np.random.default_rng(self._seed)
        population = Told.before(study, trial, self._context)[-self._population_size :]
        # Who is still under way counts here: with many in flight chance would rule for long.
        begun = trial.number >= self._population_size and any(told.loss_D is not None for told in population)
        children = self._children(population, rng) if begun else iter(())
        return first_new(children, other_points(study, trial, self._context), self._context, rng)

    def _children(self, population: Sequence[Told], rng: np.random.Generator) -> Iterator[Point]:
        choices, standings = self._context.choices, standings_of(population)
        for bred in range(_CHILDREN):
            child = self._winner(population, standings, rng).values
            if rng.uniform() < self._crossover_probability:
                child = crossover(choices, child, self._winner(population, standings, rng).values, rng)
            yield mutate(choices, child, rng, num_changes=1 + bred // _PER_CHANGE)

    def _winner(self, population: Sequence[Told], standings: Sequence[Standing], rng: np.random.Generator) -> Told:
        # Of equal ones the first drawn wins: `min` keeps it.
        drawn = rng.integers(len(population), size=self._tournament_size)
        return population[min(drawn, key=lambda index: standings[index])]


def standings_of(population: Sequence[Told]) -> list[Standing]:
    """Say where each student stands in a population; who has less comes first.

    Returns:
        0 and the place by rank and crowding, for those that keep the limits; 1 and the excess, for those that break
        them; 2 for failures.
    """
    kept = [row for row, told in enumerate(population) if told.loss_D is not None and told.excess <= 0]
    found: list[Standing] = [(2, 0.0) if told.loss_D is None else (1, told.excess) for told in population]
    if kept:
        place_K = places(np.array([population[row].loss_D for row in kept]))
        for row, place in zip(kept, place_K, strict=True):
            found[row] = (0, float(place))
    return found
