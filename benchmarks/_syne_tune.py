"""MO-REA of syne-tune (Salinas et al., 2021): regularised evolution by non-dominated rank, asked and told directly.

Up to version 0.16 at least its priority takes the sorted indices of a population for their ranks, so that parents are
chosen almost at random: ``morea`` is as shipped, ``morea_mended`` turns the order into ranks.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from syne_tune.config_space import choice as one_of
from syne_tune.optimizer.schedulers.multiobjective.multi_objective_regularized_evolution import (
    MultiObjectiveRegularizedEvolution,
)
from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import NonDominatedPriority

from automl.front.objectives import to_losses
from automl.samplers import SearchContext
from search_spaces import Categorical, Values

_POPULATION = 50
"""Half of what it comes with: 100 would leave it drawing at random for a quarter of a search of 400."""


class RankPriority(NonDominatedPriority):  # type: ignore[misc] # syne-tune ships no types
    """The place of each point in the order, where the original gives the order itself."""

    def priority_unsafe(self, objectives: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give the place of each row, shape (N,)."""
        order = np.asarray(super().priority_unsafe(objectives))
        place_N = np.empty(len(order), dtype=np.int64)
        place_N[order] = np.arange(len(order))
        return place_N


class SyneTuneSearcher:
    """Its searcher without its scheduler.

    Args:
        priority: Orders a population.
        context: Of the search; all its choices are categorical.
        seed: Of the search.
    """

    def __init__(self, priority: NonDominatedPriority, context: SearchContext, *, seed: int) -> None:
        self._objectives = context.objectives
        space = {
            each.name: one_of(list(each.domain.options))
            for each in context.choices
            if isinstance(each.domain, Categorical)
        }
        self._searcher = MultiObjectiveRegularizedEvolution(
            space,
            points_to_evaluate=[],
            population_size=_POPULATION,
            multiobjective_priority=priority,
            random_seed=seed,
        )
        self._number = 0

    def ask(self) -> tuple[Any, Values]:
        """Propose a point, always."""
        values = self._searcher.suggest()
        self._number += 1
        return (self._number, values), values

    def tell(self, handle: Any, metrics: Mapping[str, float]) -> None:
        """Take it into the population."""
        number, values = handle
        (loss_D,) = to_losses([metrics], self._objectives)
        self._searcher.on_trial_complete(number, values, loss_D.tolist())

    def repeated(self, handle: Any, metrics: Mapping[str, float] | None) -> None:
        """Pass it over: it is in the population already."""

    def refuse(self, handle: Any) -> None:
        """Pass it over."""


def morea(context: SearchContext, *, seed: int, in_flight: int) -> SyneTuneSearcher:
    """As shipped."""
    del in_flight
    return SyneTuneSearcher(NonDominatedPriority(), context, seed=seed)


def morea_mended(context: SearchContext, *, seed: int, in_flight: int) -> SyneTuneSearcher:
    """With ranks."""
    del in_flight
    return SyneTuneSearcher(RankPriority(), context, seed=seed)
