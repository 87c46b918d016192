"""Samplers that propose whole points, and none twice."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.distributions import distribution_of
from search_spaces import Choice, Point, Value, Values, sample, walk
from search_spaces.scales import draw

_DRAWN = 100
"""Points drawn at random before what is left of a space counts as used up."""


class PointSampler(BaseSampler):
    """Asks for a whole point as a trial begins, and gives its choices as Optuna asks for them.

    Args:
        propose: Gives a point; the choices that are active in it are the search space of the trial.
        choices: Architecture and recipe together.
        seed: Of this proposal.
    """

    def __init__(
        self, propose: Callable[[Study, FrozenTrial], Point], *, choices: tuple[Choice, ...], seed: int
    ) -> None:
        self._propose = propose
        self._choices = {choice.name: choice for choice in choices}
        self._seed = seed
        self._proposed: Point = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Propose a point; its choices are the search space of this trial."""
        self._proposed = self._propose(study, trial)
        return {name: distribution_of(self._choices[name]) for name in self._proposed}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the point."""
        del study, trial
        return {name: self._proposed[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw a choice that the point has not, as where a proposal was cut off halfway and other values stand."""
        del study, trial, param_distribution
        return draw(self._choices[param_name].domain, np.random.default_rng(self._seed))


def whole_point(sampler: BaseSampler, study: Study, trial: FrozenTrial, choices: tuple[Choice, ...]) -> Point:
    """Ask a sampler for a whole point, as Optuna would choice by choice."""
    relative = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))

    def value(choice: Choice) -> Value:
        if choice.name in relative:
            found: Value = relative[choice.name]
            return found
        drawn: Value = sampler.sample_independent(study, trial, choice.name, distribution_of(choice))
        return drawn

    return walk(choices, value)


def other_points(study: Study, trial: FrozenTrial, context: SearchContext) -> frozenset[object]:
    """Name the points of all trials, ended or not, but for the one that is being proposed."""
    trials = study.get_trials(deepcopy=False)
    return frozenset(context.name(each.params) for each in trials if each.number != trial.number)


def first_new(
    candidates: Iterable[Values], known: frozenset[object], context: SearchContext, rng: np.random.Generator
) -> Point:
    """Take the first candidate that is not known.

    Args:
        candidates: In the order of preference; read no further than needed.
        known: Names of points.
        context: Of the search.
        rng: Source of chance, for points at random where all candidates are known.

    Returns:
        The point; one that is known where none else was found, so that the controller sees that the space is used up.
    """
    for values in candidates:
        if context.name(values) not in known:
            return dict(values)
    drawn: Point = {}
    for _ in range(_DRAWN):
        drawn = sample(context.choices, rng)
        if context.name(drawn) not in known:
            break
    return drawn
