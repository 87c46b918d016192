"""The thread that tells MLflow what the search does; whatever MLflow does, the search does not notice."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from automl.masking import mask
from automl.objectives import Objective
from automl.run import FinishedTrial, Run
from automl.tracking.connection import default_uri
from automl.tracking.delivery import TrackingReport, is_refusal, told_plainly
from automl.tracking.experiment import Experiment
from automl.tracking.rows import NOTE_TAG
from automl.tracking.summary import Summary, summary_steps
from automl.tracking.views import UiHint, ui_hint, view_tags

_logger = logging.getLogger("automl.tracking")


@dataclass(frozen=True, kw_only=True)
class _Job:
    what: str
    send: Callable[[Experiment], None]


@dataclass(frozen=True, kw_only=True)
class _Closing:
    """Since when, and how patiently, it is waited for what is left."""

    since: float
    seconds: float
    most: float

    def left(self, progressed: float) -> float:
        """Seconds that are left, if nothing happens that has not since ``progressed``."""
        end = min(max(progressed, self.since) + self.seconds, self.since + self.most)
        return end - time.monotonic()


class Tracker:
    """Sends trials, and at the end the front, to MLflow from a thread of its own, in the order in which they are given.

    Only ``close`` waits for MLflow, and no method raises for its sake. Records wait for a server that is away.

    Args:
        uri: Tracking URI; None for a store in the run's folder.
        folder: Of the run.
        experiment: Name of MLflow's experiment, which holds this search alone.
        objectives: Of the search: the columns and axes that MLflow shows first.
        primary_metric: On the vertical axis of the charts.
        max_waiting: Records that are held while MLflow is away; what exceeds them is sent by the next ``sync`` or
            ``finish``, from the run.
        first_pause: Before the second try, in seconds; doubled each time.
        longest_pause: Between tries, in seconds.
    """

    def __init__(
        self,
        uri: str | None,
        folder: Path,
        *,
        experiment: str,
        objectives: Sequence[Objective],
        primary_metric: str,
        max_waiting: int = 1000,
        first_pause: float = 1.0,
        longest_pause: float = 30.0,
    ) -> None:
        self.uri = uri or default_uri(folder)
        self._folder = folder
        self._name = experiment
        self._logarithmic = tuple(objective.metric for objective in objectives if objective.log)
        self._tags = {
            NOTE_TAG: "The search goes on: trials appear as they end, the front at its end.",
            **view_tags(objectives, primary_metric=primary_metric, precisions=(), final=False),
        }
        self._max_waiting = max_waiting
        self._pauses = (first_pause, longest_pause)
        self._experiment: Experiment | None = None
        self._experiment_id = ""
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._owed: set[int] = set()
        self._sent: set[int] = set()
        self._refused: list[str] = []
        self._summaries_owed = 0
        self._problem = ""
        self._in_contact = True
        self._closing: _Closing | None = None
        self._progressed = 0.0
        self._begun = False
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def add(self, finished: FinishedTrial) -> None:
        """Send a trial that ended, when its turn comes."""
        with self._changed:
            self._owed.add(finished.trial.number)
            if len(self._jobs) >= self._max_waiting:
                return
        self._put(f"trial {finished.trial.number}", lambda experiment: self._send_trial(experiment, finished))

    def sync(self, run: Run) -> None:
        """Send whatever trials of a run MLflow lacks, such as those of a controller that was killed."""
        with self._changed:
            self._owed |= {finished.trial.number for finished in run.trials} - self._sent
        self._put("trials that were missing", lambda experiment: self._send_missing(experiment, run))

    def finish(self, summary: Summary) -> None:
        """Send what is missing, mark the members of the front, log their models, and show the front."""
        self.sync(summary.run)
        with self._changed:
            self._summaries_owed += 1
        for what, send in summary_steps(summary):
            self._put(what, send)
        self._put("the summary of the front", lambda experiment: self._sent_summary())

    @property
    def problem(self) -> str:
        """What stands between the search and MLflow just now, without secrets; empty if nothing does."""
        return "" if self._in_contact else self._problem

    def ui_hint(self, *, port: int = 5000, seconds: float = 0.0) -> UiHint | None:
        """Say what to type and what to open to see the search in MLflow.

        Args:
            port: On which ``mlflow ui`` is to serve.
            seconds: How long to wait for MLflow, at most.

        Returns:
            The command and the addresses; None while MLflow has not been reached.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._experiment_id), timeout=seconds)
            return ui_hint(self.uri, self._experiment_id, port=port) if self._experiment_id else None

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing is left to send, so that the thread takes no processor's time from what is measured.

        Args:
            seconds: To wait at most.

        Returns:
            Whether the thread rests; it does not while MLflow is away and records wait for it.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._begun and not self._jobs, timeout=seconds)

    def close(self, *, seconds: float = 30.0, most: float = 600.0) -> TrackingReport:
        """Wait until all is sent, and say what was sent and what was not.

        Args:
            seconds: To wait while MLflow takes nothing; each record that it takes grants them anew.
            most: To wait in all.
        """
        with self._changed:
            self._closing = closing = _Closing(since=time.monotonic(), seconds=seconds, most=most)
            self._changed.notify_all()
        while self._thread.is_alive() and (left := closing.left(self._progressed)) > 0:
            self._thread.join(left)
        with self._changed:
            return TrackingReport(
                sent=len(self._sent),
                unsent=len(self._owed),
                refused=tuple(self._refused),
                summary_owed=self._summaries_owed > 0,
                problem=self._problem,
            )

    def _put(self, what: str, send: Callable[[Experiment], None]) -> None:
        with self._changed:
            self._jobs.append(_Job(what=what, send=send))
            self._changed.notify_all()

    def _work(self) -> None:
        # The experiment is made at once: a new database takes seconds, and somebody may want to watch.
        self._do(_Job(what="the experiment", send=lambda experiment: None))
        with self._changed:
            self._begun = True
            self._changed.notify_all()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or self._closing is not None)
                if not self._jobs or self._out_of_time():
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
                    self._refuse(job.what, error)
                    return True
                self._lose_contact(error)
                if not self._sleep(pause):
                    return False
                pause = min(2 * pause, longest)
            else:
                self._regain_contact()
                return True

    def _open(self) -> Experiment:
        experiment = Experiment(
            self.uri,
            self._folder,
            name=self._name,
            tags=self._tags,
            logarithmic=self._logarithmic,
            on_progress=self._note_progress,
        )
        with self._changed:
            self._experiment = experiment
            self._experiment_id = experiment.id
            self._changed.notify_all()
        return experiment

    def _send_trial(self, experiment: Experiment, finished: FinishedTrial) -> None:
        number = finished.trial.number
        try:
            experiment.send_trial(finished)
        except Exception as error:
            if not is_refusal(error):
                raise
            self._refuse(f"trial {number}", error)
        else:
            with self._changed:
                self._sent.add(number)
        with self._changed:
            self._owed.discard(number)

    def _send_missing(self, experiment: Experiment, run: Run) -> None:
        for finished in experiment.missing(run.trials):
            self._send_trial(experiment, finished)
        there = {finished.trial.number for finished in run.trials if experiment.has(finished)}
        with self._changed:
            self._sent |= there
            self._owed -= there

    def _sent_summary(self) -> None:
        with self._changed:
            self._summaries_owed -= 1

    def _note_progress(self) -> None:
        self._progressed = time.monotonic()

    def _refuse(self, what: str, error: Exception) -> None:
        text = f"{what}: {mask(str(error))}"
        _logger.warning("MLflow refused %s; the search goes on", text, exc_info=_logger.isEnabledFor(logging.DEBUG))
        with self._changed:
            self._refused.append(text)

    def _lose_contact(self, error: Exception) -> None:
        with self._changed:
            # What MLflow has is looked up anew: an answer that was lost may hide a run that was made.
            self._experiment = None
            first, self._in_contact = self._in_contact, False
            self._problem = told_plainly(self.uri, error)
        if first:
            _logger.warning("MLflow cannot be reached, records are kept and sent when it is back: %s", self._problem)

    def _regain_contact(self) -> None:
        with self._changed:
            first, self._in_contact, self._problem = not self._in_contact, True, ""
        if first:
            _logger.warning("MLflow is back; records that were kept are being sent")

    def _out_of_time(self) -> bool:
        return self._closing is not None and self._closing.left(self._progressed) <= 0

    def _sleep(self, seconds: float) -> bool:
        """Wait, less where the tracker closes; False when time has run out."""
        with self._changed:
            if self._closing is not None:
                self._changed.wait(min(seconds, 1.0))
            else:
                self._changed.wait_for(lambda: self._closing is not None, timeout=seconds)
            return not self._out_of_time()
