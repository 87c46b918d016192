"""Teaching in which one loss drowns the others, or a loss or a teacher is hardly heard: told once a search."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from automl.numbers import counted, percent
from automl.run import FinishedTrial
from automl.searching.standing import Standing
from trials.division import LEAST_SHARE, MOST_SHARE, TEACHER, Imbalance, imbalances
from trials.records import Outcome

TELL_FROM = 3
"""Trials from which on it is told while the search goes on, if they are half of all: fewer may be a chance of what was
proposed. At the end, half of all is enough."""


@dataclass(kw_only=True)
class Lopsided:
    """One imbalance of a search.

    Args:
        kind: ``loss`` or ``teacher``.
        name: Of the term or the teacher.
        is_faint: Whether it held hardly any of the gradient, rather than nearly all.
        trials: Numbers of the trained trials in which it did.
        shares: What it held in each.
        can_balance: Whether one of them added its terms up as they are.
    """

    kind: str
    name: str
    is_faint: bool
    trials: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    can_balance: bool = False

    def add(self, finished: FinishedTrial, imbalance: Imbalance) -> None:
        """Take another trial of the same."""
        self.trials.append(finished.trial.number)
        self.shares.append(imbalance.share)
        self.can_balance |= finished.trial.recipe.balance == "none"

    def told(self, num_trained: int) -> str:
        """Say it in one line, with what to do.

        Args:
            num_trained: Trained trials of the search so far.
        """
        bound = f"under {100 * LEAST_SHARE:.0f} %" if self.is_faint else f"over {100 * MOST_SHARE:.0f} %"
        return (
            f"the {self.kind} {self.name} held {bound} of {_whole(self.kind)} in {len(self.trials)} of "
            f"{counted(num_trained, 'trained trial')}: {_remedy(self, can_balance=self.can_balance)}"
        )


def lopsided(trials: Iterable[FinishedTrial]) -> list[Lopsided]:
    """Gather the imbalances of trained trials: those of most trials first."""
    found: dict[tuple[str, str, bool], Lopsided] = {}
    for finished in trials:
        _gather(found, finished)
    return sorted(found.values(), key=lambda each: -len(each.trials))


def sentence(imbalance: Imbalance, finished: FinishedTrial) -> str:
    """Tell one imbalance of one trial, with what to do."""
    share = f"{percent(imbalance.share)} of {_whole(imbalance.kind)}"
    can_balance = finished.trial.recipe.balance == "none"
    return f"The {imbalance.kind} {imbalance.name} held {share}: {_remedy(imbalance, can_balance=can_balance)}."


class LopsidedWatch:
    """Listens to a search, and tells of each imbalance once.

    Args:
        earlier: Trials that ended before.
        say: Takes a line.
    """

    def __init__(self, earlier: Iterable[FinishedTrial], say: Callable[[str], None]) -> None:
        self._say = say
        self._found: dict[tuple[str, str, bool], Lopsided] = {}
        self._told: set[tuple[str, str, bool]] = set()
        self._num_trained = 0
        for finished in earlier:
            self._take(finished)

    def on_finished(self, finished: FinishedTrial, standing: Standing) -> None:
        """Count, and tell of what has come up often enough."""
        del standing
        self._take(finished)
        self._tell(fewest=max(TELL_FROM, (self._num_trained + 1) // 2))

    def on_tick(self, standing: Standing, *, running: int, proposed: int) -> None:
        """Nothing changes between trials."""

    def tell_rest(self) -> None:
        """Tell of what half of the trained trials had, as the search has ended, however few they are.

        Rarer ones are what a searched range of weights brings along; the report and MLflow show them at their students.
        """
        self._tell(fewest=max(1, (self._num_trained + 1) // 2))

    def _take(self, finished: FinishedTrial) -> None:
        self._num_trained += finished.result.outcome is Outcome.TRAINED
        _gather(self._found, finished)

    def _tell(self, *, fewest: int) -> None:
        for key, each in self._found.items():
            if len(each.trials) >= fewest and key not in self._told:
                self._told.add(key)
                self._say(each.told(self._num_trained))


def _gather(found: dict[tuple[str, str, bool], Lopsided], finished: FinishedTrial) -> None:
    if finished.result.outcome is not Outcome.TRAINED:
        return
    for each in imbalances(finished.trial.recipe, finished.result.history):
        key = (each.kind, each.name, each.is_faint)
        found.setdefault(key, Lopsided(kind=each.kind, name=each.name, is_faint=each.is_faint)).add(finished, each)


def _whole(kind: str) -> str:
    return "what teachers add to the gradient" if kind == TEACHER else "the gradient"


def _remedy(of: Imbalance | Lopsided, *, can_balance: bool) -> str:
    """Say what to change in the recipe; terms that are added up as they are can be balanced instead."""
    if of.kind == TEACHER:
        return "raise its teacher_weights, let it cover more rows, or leave it out"
    return f"{'raise' if of.is_faint else 'lower'} its weight{', or set balance: magnitude' if can_balance else ''}"
