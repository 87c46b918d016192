"""What a search takes over from an earlier one, as its study remembers it."""

from collections.abc import Mapping
from dataclasses import dataclass

from automl.numbers import counted
from search_spaces import Value
from trials.records import TrialResult

TAKEN = "warm_start"
"""Name of the fact in the study that holds it."""


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A student of the earlier run, as a point of this search.

    Args:
        trial: Its number there.
        values: Its active choices here.
        metrics: Those of the objectives, of the first precision.
    """

    trial: int
    values: Mapping[str, Value]
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """What a search takes over; with this written down, the earlier run may go.

    Args:
        asked: The run as the config names it.
        folder: Of the run.
        first: Students that are proposed first, in this order: trial 0 is the first.
        known: Results of those that need no training, since all that they depend on is the same.
        differs: What differs, in words, so that students are trained anew; empty where nothing does.
        drawn: Choices that the run says nothing of, and how many of the first students it was so for.
        moved: Choices that took the nearest number that they can be here, counted alike.
    """

    asked: str
    folder: str
    first: tuple[Earlier, ...]
    known: tuple[TrialResult, ...] = ()
    differs: tuple[str, ...] = ()
    drawn: Mapping[str, int]
    moved: Mapping[str, int]

    @property
    def results(self) -> dict[str, TrialResult]:
        """Known results by digest."""
        return {result.digest: result for result in self.known}

    def sentence(self) -> str:
        """Say what is taken over, for people."""
        many = len(self.first) != 1
        text = f"{counted(len(self.first), 'student')} of {self.folder} {'are' if many else 'is'} tried first"
        changes = []
        if self.drawn:
            changes.append(f"{_listed(self.drawn)} drawn, since nothing there can be taken")
        if self.moved:
            changes.append(f"{_listed(self.moved)} brought into range")
        if changes:
            text += f", with {' and '.join(changes)}"
        if self.known and len(self.known) == len(self.first):
            known, them = ("their results are", "them") if many else ("its result is", "it")
            return f"{text}; {known} known, and nothing is trained for {them}"
        if self.known:
            return f"{text}; the results of {len(self.known)} are known, the others are trained"
        why = f", since that run differs in {', '.join(self.differs)}" if self.differs else ""
        return f"{text}; {'they are' if many else 'it is'} trained anew{why}"


def _listed(counts: Mapping[str, int]) -> str:
    """Name choices, each with the number of students, the commonest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} ({count})" for name, count in ordered[:5])
    return shown if len(ordered) <= 5 else f"{shown} and {counted(len(ordered) - 5, 'further choice')}"
