"""Who searches a table: something that is asked for points and told what they came to."""

from collections.abc import Mapping
from typing import Any, Protocol

import optuna

from automl.samplers import SearchContext, make_sampler
from automl.samplers.distributions import distribution_of
from search_spaces import Values

UNIQUE = "nsga2_unique"
"""NSGA-II that takes no point into a generation twice."""


class Searcher(Protocol):
    """A search that is driven from outside."""

    def ask(self) -> tuple[Any, Values] | None:
        """Propose a point, with a handle to tell by; None where it waits for what is under way."""
        ...

    def tell(self, handle: Any, metrics: Mapping[str, float]) -> None:
        """Tell what an evaluation came to."""
        ...

    def repeated(self, handle: Any, metrics: Mapping[str, float] | None) -> None:
        """Tell of a proposal that was evaluated before.

        Args:
            handle: Of the proposal.
            metrics: The answer; None where it is still under way.
        """
        ...

    def refuse(self, handle: Any) -> None:
        """Tell that a point is no architecture."""
        ...


class OptunaSearcher:
    """A sampler of the catalog, or of another package, on a study in memory.

    Args:
        name: Of the sampler, or ``nsga2_unique``.
        context: Of the search.
        seed: Of the search.
    """

    def __init__(self, name: str, context: SearchContext, *, seed: int) -> None:
        self._objectives = context.objectives
        self._unique = name == UNIQUE
        self._study = optuna.create_study(
            directions=["maximize" if each.higher_is_better else "minimize" for each in context.objectives],
            sampler=make_sampler("nsga2" if self._unique else name, seed=seed, options={}, context=context),
        )
        self._distributions = {choice.name: distribution_of(choice) for choice in context.choices}

    def ask(self) -> tuple[optuna.Trial, Values]:
        """Propose a point, always."""
        trial = self._study.ask()
        return trial, {name: trial._suggest(name, each) for name, each in self._distributions.items()}

    def tell(self, handle: optuna.Trial, metrics: Mapping[str, float]) -> None:
        """Complete the trial."""
        self._study.tell(handle, [metrics[objective.metric] for objective in self._objectives])

    def repeated(self, handle: optuna.Trial, metrics: Mapping[str, float] | None) -> None:
        """Complete the trial where the answer is known and may count again, else fail it."""
        if metrics is None or self._unique:
            self.refuse(handle)
        else:
            self.tell(handle, metrics)

    def refuse(self, handle: optuna.Trial) -> None:
        """Fail the trial."""
        self._study.tell(handle, state=optuna.trial.TrialState.FAIL)
