"""Points that are proposed before a sampler's own."""

from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from automl.samplers.distributions import distribution_of
from search_spaces import Choice, Values


class FirstProposals(BaseSampler):
    """Proposes given points, by number of the trial, and lets a sampler go on from there.

    The sampler is asked about these trials, too, and its answer is put aside: some, as NSGA-II, write into a trial that
    they took part in it. Optuna's own ``Study.enqueue_trial`` writes all trials at once, so that a search which is
    killed in between would begin with some of them; here a proposal stays a function of seed, number and values told.

    Args:
        sampler: Proposes the others.
        points: The first is trial 0.
        choices: Of the search.
    """

    def __init__(self, sampler: BaseSampler, points: Sequence[Values], choices: tuple[Choice, ...]) -> None:
        self._sampler = sampler
        self._points = tuple(points)
        self._distributions = {choice.name: distribution_of(choice) for choice in choices}
        self._own: dict[str, BaseDistribution] = {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the sampler prepare."""
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give the choices of the point, or what the sampler says."""
        self._own = self._sampler.infer_relative_search_space(study, trial)
        if trial.number >= len(self._points):
            return self._own
        return {name: self._distributions[name] for name in self._points[trial.number]}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the point, or what the sampler says."""
        del search_space
        proposed = self._sampler.sample_relative(study, trial, self._own)
        return dict(self._points[trial.number]) if trial.number < len(self._points) else proposed

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Ask the sampler; a given point leaves nothing to ask."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the sampler write down what it keeps in the study."""
        self._sampler.after_trial(study, trial, state, values)
