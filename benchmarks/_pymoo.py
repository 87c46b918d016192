"""Evolutionary algorithms of pymoo (Blank and Deb, 2020, https://doi.org/10.1109/ACCESS.2020.2990567), ask and tell.

The population is of 20, as that of our ``nsga2``; choices are mixed evenly and drawn anew, as pymoo does with choices.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.sms import SMSEMOA
from pymoo.core.duplicate import ElementwiseDuplicateElimination
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.variable import Choice
from pymoo.operators.crossover.ux import UX
from pymoo.operators.mutation.rm import ChoiceRandomMutation

from automl.front.objectives import to_losses
from automl.samplers import SearchContext
from search_spaces import Categorical, Values, sample

_POPULATION = 20


class PymooSearcher:
    """A generation at a time: the next one is bred when the last has been told; what is no architecture drops out.

    Args:
        make: Of the algorithm.
        context: Of the search; all its choices are categorical.
        seed: Of the search.
        offspring: Number of points in a generation but the first.
    """

    def __init__(self, make: Callable[..., Any], context: SearchContext, *, seed: int, offspring: int) -> None:
        self._objectives = context.objectives
        generator = np.random.default_rng(seed)
        names = [choice.name for choice in context.choices]
        drawn = [sample(context.choices, generator) for _ in range(_POPULATION)]
        variables = {
            choice.name: Choice(options=list(choice.domain.options))
            for choice in context.choices
            if isinstance(choice.domain, Categorical)
        }
        self._names = names
        self._algorithm = make(
            pop_size=_POPULATION,
            n_offsprings=offspring,
            sampling=np.array([[values[name] for name in names] for values in drawn], dtype=object),
            crossover=UX(),
            mutation=ChoiceRandomMutation(),
            eliminate_duplicates=ElementwiseDuplicateElimination(lambda one, other: bool((one.X == other.X).all())),
        )
        problem = Problem(vars=variables, n_obj=len(context.objectives))
        self._algorithm.setup(problem, seed=seed, termination=("n_gen", 10**6), verbose=False)
        self._waiting: list[Any] = []
        self._under_way = 0
        self._told: list[Any] = []

    def ask(self) -> tuple[Any, Values] | None:
        """Propose the next of a generation; None until the last one has been told."""
        if not self._waiting:
            if self._under_way:
                return None
            if self._told:
                self._algorithm.tell(infills=Population.create(*self._told))
                self._told = []
            self._waiting = list(self._algorithm.ask())
        one = self._waiting.pop(0)
        self._under_way += 1
        return one, dict(zip(self._names, one.X, strict=True))

    def tell(self, handle: Any, metrics: Mapping[str, float]) -> None:
        """Keep the losses until the generation is through."""
        (loss_D,) = to_losses([metrics], self._objectives)
        handle.set("F", loss_D)
        handle.set("G", np.zeros(0))
        handle.set("H", np.zeros(0))
        handle.evaluated.update({"F", "G", "H"})
        self._told.append(handle)
        self._under_way -= 1

    def repeated(self, handle: Any, metrics: Mapping[str, float] | None) -> None:
        """Let it drop out: it would be in the population twice."""
        del metrics
        self.refuse(handle)

    def refuse(self, handle: Any) -> None:
        """Let it drop out."""
        del handle
        self._under_way -= 1


def nsga2(context: SearchContext, *, seed: int, in_flight: int) -> PymooSearcher:
    """NSGA-II (Deb et al., 2002)."""
    del in_flight
    return PymooSearcher(NSGA2, context, seed=seed, offspring=_POPULATION)


def sms_emoa(context: SearchContext, *, seed: int, in_flight: int) -> PymooSearcher:
    """SMS-EMOA (Beume et al., 2007), with as many offspring as run at a time."""
    return PymooSearcher(SMSEMOA, context, seed=seed, offspring=in_flight)
