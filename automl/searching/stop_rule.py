"""When a search ends."""

from dataclasses import dataclass
from typing import Self

from automl.config.running import Search
from automl.numbers import counted
from automl.searching.standing import Standing

_UNBOUNDED = 10**9


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """When a search proposes no more; whatever comes first.

    Args:
        trials: Proposals in all, those of earlier processes of the same run included.
        seconds: Time since this process began to search; None without a bound.
        stall_trials: Number of trials over which the hypervolume must grow; None without this rule.
        stall_growth: By how much it must grow.
    """

    trials: int
    seconds: float | None = None
    stall_trials: int | None = None
    stall_growth: float = 0.0

    @classmethod
    def of(cls, search: Search, *, searched: bool) -> Self:
        """Make the rule that a config asks for.

        Args:
            search: Its section.
            searched: Whether students differ at all; else one trial is enough.
        """
        stall = search.stall
        return cls(
            trials=search.trials or (_UNBOUNDED if searched else 1),
            seconds=None if search.minutes is None else search.minutes * 60,
            stall_trials=None if stall is None else stall.trials,
            stall_growth=0.0 if stall is None else stall.growth,
        )

    def reason(self, standing: Standing, *, proposed: int, seconds: float) -> str:
        """Say why it is time to stop; empty while it is not."""
        if proposed >= self.trials:
            return f"{counted(self.trials, 'trial')} {'was' if self.trials == 1 else 'were'} asked for"
        if self.seconds is not None and seconds > self.seconds:
            return f"the time is up ({self.seconds / 60:g} minutes)"
        history = standing.hypervolumes
        if self.stall_trials is not None and len(history) > self.stall_trials:
            growth = history[-1] - history[-1 - self.stall_trials]
            if growth <= self.stall_growth:
                return f"the hypervolume grew by {growth:.2g} in the last {counted(self.stall_trials, 'trial')}"
        return ""
