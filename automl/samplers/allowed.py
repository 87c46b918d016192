"""Proposals that keep the rules of a space."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from automl.samplers.context import SearchContext
from automl.samplers.distributions import distribution_of
from automl.samplers.fresh import FreshSampler
from automl.samplers.points import whole_point
from search_spaces import Point, Values, sample

_ASKED = 20
"""Proposals of a sampler for one trial before a point that the rules allow is drawn at random."""


class AllowedProposals(BaseSampler):
    """Asks a sampler again where the rules of a space forbid what it proposes: such a trial could only fail.

    A sampler that sorts candidates is asked for its next best ones, any other with other chance. A proposal stays a
    function of seed, number and values told.

    Args:
        sampler: Proposes.
        forbids: Says why a point is no student; empty where it is one.
        context: Of the search.
    """

    def __init__(self, sampler: FreshSampler, forbids: Callable[[Values], str], *, context: SearchContext) -> None:
        self._sampler = sampler
        self._forbids = forbids
        self._context = context
        self._proposed: Point = {}

    def beside(self, position: int) -> "AllowedProposals":
        """Make a sampler whose proposals stand beside those of this one."""
        return AllowedProposals(self._sampler.beside(position), self._forbids, context=self._context)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the sampler prepare."""
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Find a point; its choices are the search space of this trial."""
        self._proposed = self._allowed(study, trial)
        distributions = {choice.name: distribution_of(choice) for choice in self._context.choices}
        return {name: distributions[name] for name in self._proposed}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the point."""
        del study, trial, search_space
        return dict(self._proposed)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Ask the sampler; nothing is left to ask, unless half of another point was written before."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the sampler write down what it keeps in the study."""
        self._sampler.after_trial(study, trial, state, values)

    def _allowed(self, study: Study, trial: FrozenTrial) -> Point:
        choices = self._context.choices
        for position in range(_ASKED):
            asked = self._sampler
            if position:
                asked = self._sampler.beside(position)
                asked.before_trial(study, trial)
            point = whole_point(asked, study, trial, choices)
            if not self._forbids(point):
                return point
        return sample(choices, np.random.default_rng([self._context.seed, trial.number]), forbids=self._forbids)
