"""What NNI's tuners are told of a search, and the sampler that asks them."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.distributions import distribution_of
from automl.samplers.nni_parameters import Point
from automl.samplers.scalarised import Told, chebyshev, random_weights
from search_spaces import Values, sample
from search_spaces.scales import draw

_BROKEN = 2.0
"""Added to the share by which a student breaks the limits: more than is told of any that keeps them."""
TRIES = 50
"""Points that are looked at until one is not known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A trial, as a tuner hears of it.

    Args:
        number: Of the trial.
        values: Its point.
        ended: Whether it did.
        told: One number, lower is better; None where it failed or has not ended.
    """

    number: int
    values: Values
    ended: bool
    told: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """The search before a proposal.

    Args:
        number: Of the trial that is proposed.
        seed: Of the proposal.
        ended: In the order in which they did.
        running: By number.
    """

    number: int
    seed: int
    ended: list[Heard]
    running: list[Heard]

    @classmethod
    def before(cls, study: Study, trial: FrozenTrial, context: SearchContext, *, seed: int) -> "History":
        """Read a study, and fold several objectives into one number under weights drawn for this proposal.

        All that ended is folded anew under them, as in ParEGO (Knowles, 2006): numbers told under other weights could
        not be compared.
        """
        told = Told.before(study, trial, context)
        weight_D = random_weights(np.random.default_rng(seed), len(context.objectives))
        running = [each for each in study.get_trials(deepcopy=False) if not each.state.is_finished()]
        return cls(
            number=trial.number,
            seed=seed,
            ended=[
                Heard(number=each.number, values=each.values, ended=True, told=_folded(each, weight_D)) for each in told
            ],
            running=[
                Heard(number=each.number, values=each.params, ended=False, told=None)
                for each in running
                if each.number < trial.number
            ],
        )

    @property
    def all(self) -> tuple[Heard, ...]:
        """Those that ended, and then those that run."""
        return (*self.ended, *self.running)

    def names(self, context: SearchContext) -> set[object]:
        """Name the points that are known."""
        return {context.name(each.values) for each in self.all}


def _folded(told: Told, weight_D: NDArray[np.float64]) -> float | None:
    if told.loss_D is None:
        return None
    return float(chebyshev(told.loss_D, weight_D)) + (_BROKEN + told.excess if told.excess > 0 else 0.0)


class Tuner(Protocol):
    """Proposes by a tuner of NNI."""

    def propose(self, history: History) -> Point | None:
        """Give a point; None where the tuner has no other."""
        ...


class NniSampler(BaseSampler):
    """Asks a tuner for a whole point.

    Args:
        context: Of the search.
        tuner: Asked; where it has no point left, one is drawn at random.
        seed: Of this proposal.
    """

    def __init__(self, context: SearchContext, tuner: Tuner, *, seed: int) -> None:
        self._context = context
        self._tuner = tuner
        self._seed = seed
        self._proposed: Point = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Propose a point; the choices that are active in it are the search space of this trial."""
        history = History.before(study, trial, self._context, seed=self._seed)
        proposed = self._tuner.propose(history)
        self._proposed = _drawn(self._context, history) if proposed is None else proposed
        choices = {choice.name: choice for choice in self._context.choices}
        return {name: distribution_of(choices[name]) for name in self._proposed}

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
        (domain,) = (choice.domain for choice in self._context.choices if choice.name == param_name)
        return draw(domain, np.random.default_rng(self._seed))


def _drawn(context: SearchContext, history: History) -> Point:
    """Draw a point that is not known, if that can be."""
    rng, known = np.random.default_rng(history.seed), history.names(context)
    for _ in range(TRIES):
        point = sample(context.choices, rng)
        if context.name(point) not in known:
            break
    return point
