"""What NNI's tuners are told of a search, and how they are asked."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.points import first_new
from automl.samplers.scalarised import Told, chebyshev, random_weights
from search_spaces import Point, Values

_BROKEN = 2.0
"""Added to the share by which a student breaks the limits: more than is told of any that keeps them."""


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

    def names(self, context: SearchContext) -> frozenset[object]:
        """Name the points that are known."""
        return frozenset(context.name(each.values) for each in self.all)


def _folded(told: Told, weight_D: NDArray[np.float64]) -> float | None:
    if told.loss_D is None:
        return None
    return float(chebyshev(told.loss_D, weight_D)) + (_BROKEN + told.excess if told.excess > 0 else 0.0)


class Tuner(Protocol):
    """Proposes by a tuner of NNI."""

    def propose(self, history: History) -> Point | None:
        """Give a point; None where the tuner has no other."""
        ...


class Asking:
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

    def __call__(self, study: Study, trial: FrozenTrial) -> Point:
        """Propose a point."""
        history = History.before(study, trial, self._context, seed=self._seed)
        proposed = self._tuner.propose(history)
        if proposed is not None:
            return proposed
        return first_new((), history.names(self._context), self._context, np.random.default_rng(self._seed))
