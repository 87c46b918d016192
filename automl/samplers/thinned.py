"""Several candidates for a trial, of which one is tried."""

from collections.abc import Sequence
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from automl.samplers.allowed import AllowedProposals
from automl.samplers.context import SearchContext
from automl.samplers.distributions import distribution_of
from automl.samplers.fresh import FreshSampler
from automl.samplers.points import other_points, whole_point
from search_spaces import Point, Values


class Chooser(Protocol):
    """Says which of several candidates for a trial is tried."""

    @property
    def most(self) -> int:
        """Candidates for a trial, at most."""
        ...

    def num_candidates(self) -> int:
        """Give how many are wanted for the next trial; 1 leaves all to the sampler."""
        ...

    def choose(self, candidates: Sequence[Values]) -> int:
        """Give the position of the one to try.

        Args:
            candidates: At least one, no two alike, the sampler's own proposal first if it is among them.
        """
        ...


class ThinnedProposals(BaseSampler):
    """Asks a sampler for several candidates for one trial, and proposes one of them.

    A sampler that sorts candidates is asked for its best ones, any other several times, with other chance each time.

    The first answer is what the sampler proposes without this. Answers that are known already are put aside where
    others are not. A proposal stays a function of seed, number and values told, as long as the choice is one.

    Args:
        sampler: Proposes.
        chooser: Chooses.
        context: Of the search.
    """

    def __init__(self, sampler: FreshSampler | AllowedProposals, chooser: Chooser, *, context: SearchContext) -> None:
        self._samplers = [sampler, *(sampler.beside(position) for position in range(1, chooser.most))]
        self._chooser = chooser
        self._context = context
        self._distributions = {choice.name: distribution_of(choice) for choice in context.choices}
        self._own: dict[str, BaseDistribution] = {}
        self._chosen: Point | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the sampler prepare, once for each candidate."""
        for sampler in self._samplers[: self._chooser.num_candidates()]:
            sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Choose a candidate; its choices are the search space of this trial."""
        self._chosen = None
        wanted = self._chooser.num_candidates()
        if wanted == 1:
            self._own = self._samplers[0].infer_relative_search_space(study, trial)
            return self._own
        candidates = self._candidates(study, trial, wanted)
        self._chosen = candidates[self._chooser.choose(candidates)]
        return {name: self._distributions[name] for name in self._chosen}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the candidate, or what the sampler says."""
        del search_space
        if self._chosen is None:
            return self._samplers[0].sample_relative(study, trial, self._own)
        return dict(self._chosen)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Ask the sampler; of a candidate nothing is left to ask, unless half of another one was written before."""
        return self._samplers[0].sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the sampler write down what it keeps in the study."""
        self._samplers[0].after_trial(study, trial, state, values)

    def _candidates(self, study: Study, trial: FrozenTrial, count: int) -> list[Point]:
        # The sampler itself is asked last: some, as TPE, write into the trial what they answered.
        choices = self._context.choices
        answers = [whole_point(sampler, study, trial, choices) for sampler in reversed(self._samplers[:count])][::-1]
        named = {self._context.name(point): point for point in reversed(answers)}
        distinct = [point for point in answers if named[self._context.name(point)] is point]
        known = other_points(study, trial, self._context)
        # Where all are known, one of them is proposed, so that the controller sees that the space is used up.
        return [point for point in distinct if self._context.name(point) not in known] or distinct[:1]
