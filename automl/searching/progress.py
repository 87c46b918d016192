"""What a person sees while a search goes on: a live line in a terminal, plain lines elsewhere."""

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from automl.numbers import duration, title, written
from automl.run import FinishedTrial
from automl.searching.standing import Standing
from trials.records import Outcome

PLAIN_SECONDS = 10.0
"""Time between plain lines, in seconds, where there is no terminal."""
LIVE_SECONDS = 0.25
"""Time between changes of the live line, in seconds: the front is computed for each."""


class Progress:
    """Listens to a search and says how far it is.

    Args:
        trials: Proposals that the search makes at most; None without a bound.
        seconds: Time that it takes at most; None without a bound.
        console: Where to write; None writes to standard error, so that standard output stays for results.
    """

    def __init__(self, *, trials: int | None, seconds: float | None, console: Console | None = None) -> None:
        self._trials = trials
        self._seconds = seconds
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._begun: float | None = None
        self._ended_here = 0
        self._next_line = time.monotonic()
        self._last_said = ""

    def __enter__(self) -> "Progress":
        """Show the live line, where there is a terminal."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        if self._console.is_terminal:
            self._live.stop()

    def say(self, line: str) -> None:
        """Write a line that stays, unless it is the one that was written last."""
        if line != self._last_said:
            self._console.print(Text(line), soft_wrap=True)
        self._last_said = line

    def on_finished(self, finished: FinishedTrial, standing: Standing) -> None:
        """Count, and tell at once of a trial that failed."""
        del standing
        self._ended_here += 1
        if finished.result.outcome is Outcome.FAILED:
            last_line = finished.result.error.strip().rsplit("\n", 1)[-1]
            self.say(f"trial {finished.trial.number} failed: {last_line}")

    def on_tick(self, standing: Standing, *, running: int, proposed: int) -> None:
        """Write how things stand, from time to time."""
        del proposed
        now = time.monotonic()
        if self._begun is None:  # What went before, as training teachers, says nothing of how long trials take.
            self._begun = now
        if now < self._next_line:
            return
        if self._console.is_terminal:
            self._next_line = now + LIVE_SECONDS
            self._live.update(Text(self.line(standing, running=running)))
        else:
            self._next_line = now + PLAIN_SECONDS
            self.say(self.line(standing, running=running))

    def line(self, standing: Standing, *, running: int) -> str:
        """Put how things stand into one line."""
        # A run that goes on with a smaller bound first ends what it had under way.
        done = len(standing.finished)
        bound = "" if self._trials is None else f"/{max(self._trials, done)}"
        parts = [f"{done}{bound} done", f"{running} running"]
        parts += [
            f"{standing.count(outcome)} {outcome.value}"
            for outcome in (Outcome.PRUNED, Outcome.INFEASIBLE, Outcome.FAILED)
            if standing.count(outcome)
        ]
        if standing.hypervolumes:
            # Latency beside other trials reads higher than alone, and so the closing text has another figure.
            compared = {of.metric for of in standing.objectives} | {limit.metric for limit in standing.limits}
            note = " (latency provisional)" if "latency_ms" in compared else ""
            parts.append(f"hypervolume {standing.hypervolumes[-1]:.4f}{note}")
        if best := standing.best():
            parts.append("best " + ", ".join(f"{title(name)} {written(name, value)}" for name, value in best.items()))
        left = self._seconds_left(done)
        return " · ".join([*parts, *([f"{duration(left)} left"] if left else [])])

    def _seconds_left(self, done: int) -> float | None:
        elapsed = 0.0 if self._begun is None else time.monotonic() - self._begun
        by_time = None if self._seconds is None else max(0.0, self._seconds - elapsed)
        if not self._ended_here or self._trials is None:
            return by_time
        by_trials = elapsed / self._ended_here * max(0, self._trials - done)
        return by_trials if by_time is None else min(by_time, by_trials)
