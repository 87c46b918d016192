"""The thread that works for MLflow: one job after the other, each tried until it is done or refused."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from automl.masking import mask
from automl.tracking.delivery import is_refusal, told_plainly
from automl.tracking.experiment import Experiment

_logger = logging.getLogger("automl.tracking")
_LOOK_SECONDS = 0.2
"""How often it is looked, while it closes, whether MLflow has gone away."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    what: str
    send: Callable[[Experiment], None]


@dataclass(frozen=True, kw_only=True)
class _Closing:
    """Since when, and how patiently, it is waited for what is left."""

    since: float
    seconds: float
    seconds_away: float
    most: float

    def left(self, progressed: float, *, in_contact: bool) -> float:
        """Seconds that are left, if nothing happens that has not since ``progressed``."""
        patience = self.seconds if in_contact else min(self.seconds, self.seconds_away)
        end = min(max(progressed, self.since) + patience, self.since + self.most)
        return end - time.monotonic()


class Outbox:
    """Jobs for MLflow, done in the order in which they are put in; nothing here raises for MLflow's sake.

    Args:
        uri: Tracking URI; secrets are masked where it is told.
        open_experiment: Makes or finds the experiment, and takes what is to be called whenever MLflow has taken
            something; called in the thread, again after each loss of contact.
        first_pause: Before the second try, in seconds; doubled each time.
        longest_pause: Between tries, in seconds.
    """

    def __init__(
        self,
        uri: str,
        open_experiment: Callable[[Callable[[], None]], Experiment],
        *,
        first_pause: float,
        longest_pause: float,
    ) -> None:
        self._uri = uri
        self._open_experiment = open_experiment
        self._pauses = (first_pause, longest_pause)
        self._experiment: Experiment | None = None
        self._experiment_id = ""
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._refused: list[str] = []
        self._problem = ""
        self._in_contact = True
        self._closing: _Closing | None = None
        self._progressed = 0.0
        self._begun = False
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def put(self, what: str, send: Callable[[Experiment], None]) -> None:
        """Add a job.

        Args:
            what: It sends, in words.
            send: Does it; may be called again where it was broken off.
        """
        with self._changed:
            self._jobs.append(_Job(what=what, send=send))
            self._changed.notify_all()

    def __len__(self) -> int:
        """Count the jobs that wait, with the one under way."""
        with self._changed:
            return len(self._jobs)

    @property
    def problem(self) -> str:
        """What went wrong last, without secrets; empty if nothing."""
        return self._problem

    @property
    def in_contact(self) -> bool:
        """Whether MLflow answered last."""
        return self._in_contact

    @property
    def refused(self) -> tuple[str, ...]:
        """What MLflow would not take, in words."""
        with self._changed:
            return tuple(self._refused)

    def experiment_id(self, *, seconds: float) -> str:
        """Give MLflow's id of the experiment; empty where it was not reached within some seconds, or is away."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._experiment_id) or not self._in_contact, timeout=seconds)
            return self._experiment_id

    def _note_progress(self) -> None:
        self._progressed = time.monotonic()

    def refuse(self, what: str, error: Exception) -> None:
        """Take note, and tell, that MLflow will not take something."""
        text = f"{what}: {mask(str(error))}"
        _logger.warning("MLflow refused %s; the search goes on", text, exc_info=_logger.isEnabledFor(logging.DEBUG))
        with self._changed:
            self._refused.append(text)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job is left; False where some are after these seconds, or as soon as MLflow is away."""
        with self._changed:
            self._changed.wait_for(lambda: self._idle() or not self._in_contact, timeout=seconds)
            return self._idle()

    def _idle(self) -> bool:
        return self._begun and not self._jobs

    def close(self, *, seconds: float, seconds_away: float, most: float) -> None:
        """Wait until all is done.

        Args:
            seconds: To wait while MLflow takes nothing; whatever it takes grants them anew.
            seconds_away: To wait instead while it is known to be away.
            most: To wait in all.
        """
        since = time.monotonic()
        with self._changed:
            self._closing = _Closing(since=since, seconds=seconds, seconds_away=seconds_away, most=most)
            self._changed.notify_all()
        while self._thread.is_alive() and (left := self._left()) > 0:
            self._thread.join(min(left, _LOOK_SECONDS))

    def _left(self) -> float:
        """Seconds that are left while it closes."""
        return math.inf if self._closing is None else self._closing.left(self._progressed, in_contact=self._in_contact)

    def _work(self) -> None:
        # The experiment is made at once: a new database takes seconds, and somebody may want to watch.
        self._do(_Job(what="the experiment", send=lambda experiment: None))
        with self._changed:
            self._begun = True
            self._changed.notify_all()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or self._closing is not None)
                if not self._jobs or self._left() <= 0:
                    return
                job = self._jobs[0]
            if not self._do(job):
                return
            with self._changed:
                self._jobs.popleft()
                self._changed.notify_all()

    def _do(self, job: _Job) -> bool:
        """Try until it is done or refused; False when time has run out."""
        pause, longest = self._pauses
        while True:
            try:
                job.send(self._experiment or self._open())
            except Exception as error:  # whatever MLflow does must not end the thread
                if self._experiment is not None and is_refusal(error):
                    self.refuse(job.what, error)
                    return True
                self._lose_contact(error)
                if not self._sleep(pause):
                    return False
                pause = min(2 * pause, longest)
            else:
                self._regain_contact()
                return True

    def _open(self) -> Experiment:
        experiment = self._open_experiment(self._note_progress)
        with self._changed:
            self._experiment = experiment
            self._experiment_id = experiment.id
            self._changed.notify_all()
        return experiment

    def _lose_contact(self, error: Exception) -> None:
        with self._changed:
            # What MLflow has is looked up anew: an answer that was lost may hide a run that was made.
            self._experiment = None
            first, self._in_contact = self._in_contact, False
            self._problem = told_plainly(self._uri, error)
            self._changed.notify_all()
        if first:
            _logger.warning("MLflow cannot be reached, records are kept and sent when it is back: %s", self._problem)

    def _regain_contact(self) -> None:
        with self._changed:
            first, self._in_contact, self._problem = not self._in_contact, True, ""
        if first:
            _logger.warning("MLflow is back; records that were kept are being sent")

    def _sleep(self, seconds: float) -> bool:
        """Wait, less where the outbox closes; False when time has run out."""
        with self._changed:
            if self._closing is not None:
                self._changed.wait(min(seconds, 1.0))
            else:
                self._changed.wait_for(lambda: self._closing is not None, timeout=seconds)
            return self._left() > 0
