"""Optuna's samplers, made anew for every trial."""

import copy
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class FreshSampler(BaseSampler):
    """Makes a proposal depend on the seed, the trial's number and the values told, and on nothing else.

    A sampler of Optuna keeps a random generator, whose state is in no storage; so a search that is stopped and resumed
    would propose other students than one that was not. Here the sampler is made anew for each trial, with a seed that
    is a hash of the search's seed and the trial's number; and, unless it may remember something of the trial, once more
    for each choice that is drawn on its own, with the choice's name in the hash, so that a proposal which was cut off
    halfway goes on as it would have gone.

    Args:
        make: Makes the sampler from a seed.
        seed: Of the search.
        make_next: Makes a sampler from a seed that proposes what ``make``'s would next best, by rank; None where the
            sampler has no order of candidates.
        remembers: Whether the sampler may remember something from the start of a trial to its choices, as one of a
            user's may. Then the choices are asked of the one that the trial began with; after a proposal was cut off it
            draws again what it had drawn.
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        *,
        seed: int,
        make_next: Callable[[int, int], BaseSampler] | None = None,
        remembers: bool = False,
    ) -> None:
        self._make = make
        self._make_next = make_next
        self._seed = seed
        self._remembers = remembers
        self._number = -1
        self._answered: set[str] = set()
        self._sampler = make(seed)

    def beside(self, position: int) -> "FreshSampler":
        """Make a sampler whose proposals stand beside those of this one: the next best, or those of other chance.

        Args:
            position: Tells several of them apart, from 1 on.
        """
        if (make_next := self._make_next) is not None:
            return FreshSampler(lambda seed: make_next(seed, position), seed=self._seed)
        return FreshSampler(self._make, seed=trial_seed(self._seed, position, "beside"), remembers=self._remembers)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number = trial.number
            self._answered = set()
            self._sampler = self._make(trial_seed(self._seed, trial.number))
        return self._sampler

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial, and let it prepare."""
        self._of(trial).before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ask the sampler of this trial."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask the sampler of this trial."""
        answer = self._of(trial).sample_relative(study, trial, search_space)
        self._answered |= answer.keys()
        return answer

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Ask a sampler of this trial, and of this choice unless it remembers something of the trial."""
        if not self._remembers:
            sampler = self._make(trial_seed(self._seed, trial.number, param_name))
            return sampler.sample_independent(study, trial, param_name, param_distribution)
        self._draw_again(study, trial, before=param_name)
        self._answered.add(param_name)
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def _draw_again(self, study: Study, trial: FrozenTrial, *, before: str) -> None:
        """Bring the sampler's chance to where it was when the proposal was cut off, after what is written of it."""
        sampler, then = self._of(trial), copy.copy(trial)
        then.params, then.distributions = {}, {}
        for name, distribution in trial.distributions.items():
            if name == before:
                break
            if name not in self._answered:
                self._answered.add(name)
                sampler.sample_independent(study, then, name, distribution)
            then.params = {**then.params, name: trial.params[name]}
            then.distributions = {**then.distributions, name: distribution}

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let a sampler that keeps its records in the study write them."""
        self._make(trial_seed(self._seed, trial.number)).after_trial(study, trial, state, values)


def trial_seed(seed: int, number: int, name: str = "") -> int:
    """Hash the search's seed, a trial's number and perhaps a choice's name into a seed below 2**32."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}/{name}".encode()).digest()[:4], "big")
