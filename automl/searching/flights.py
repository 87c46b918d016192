"""Trials under way, as the controller keeps them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automl.study.ledger import Proposal
from trials.records import Outcome, Trial, TrialResult


@dataclass(eq=False)
class Flight:
    """A trial that runs: what was proposed, what is asked, since when, how often its process died, who waits for it.

    Twins are proposals of the same student; its result will be theirs. What is to go on from its last rung is a
    reference, as the executor gave it: the machine that trained it keeps the thing itself.
    """

    proposal: Proposal
    trial: Trial
    started: datetime
    losses: int = 0
    twins: list[Proposal] = field(default_factory=list)
    underway: Any = None
    begun: float = 0.0

    def seconds_left(self, seconds: float | None) -> float | None:
        """Give what is left of the time for the whole trial, counted from where it started with nothing."""
        if self.underway is None:
            self.begun = time.monotonic()
        return None if seconds is None else seconds - (time.monotonic() - self.begun)

    def failed(self, error: str) -> TrialResult:
        """Say that the trial failed."""
        return TrialResult(number=self.trial.number, digest=self.trial.digest, outcome=Outcome.FAILED, error=error)


def places(flights: Iterable[Flight]) -> int:
    """Count the trials that run, and those that wait for the result of one: these take a place, too.

    Else a space that is nearly used up would be proposed from without end while its last students train.
    """
    return sum(1 + len(flight.twins) for flight in flights)
