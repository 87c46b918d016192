"""The search as it is told to MLflow; whatever MLflow does, the search does not notice."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from automl.front.objectives import Objective
from automl.run import FinishedTrial, Run
from automl.tracking.connection import default_uri
from automl.tracking.delivery import TrackingReport, is_refusal
from automl.tracking.experiment import Experiment
from automl.tracking.outbox import Outbox
from automl.tracking.rows import NOTE_TAG
from automl.tracking.summary import Summary, send_report, summary_steps
from automl.tracking.views import UiHint, ui_hint, view_tags

_SILENT_SECONDS = 2.0
"""Time that nobody minds to wait without being told what for."""


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
        self._counting = threading.Lock()
        self._owed: set[int] = set()
        self._sent: set[int] = set()
        self._summaries_owed = 0
        self._outbox = Outbox(self.uri, self._open, first_pause=first_pause, longest_pause=longest_pause)

    def add(self, finished: FinishedTrial) -> None:
        """Send a trial that ended, when its turn comes."""
        with self._counting:
            self._owed.add(finished.trial.number)
        if len(self._outbox) < self._max_waiting:
            what = f"trial {finished.trial.number}"
            self._outbox.put(what, lambda experiment: self._send_trial(experiment, finished))

    def sync(self, run: Run) -> None:
        """Send whatever trials of a run MLflow lacks, such as those of a controller that was killed."""
        with self._counting:
            self._owed |= {finished.trial.number for finished in run.trials} - self._sent
        self._outbox.put("trials that were missing", lambda experiment: self._send_missing(experiment, run))

    def finish(self, summary: Summary) -> None:
        """Send what is missing, mark the members of the front, log their models, and show the front."""
        self.sync(summary.run)
        with self._counting:
            self._summaries_owed += 1
        for what, send in summary_steps(summary):
            self._outbox.put(what, send)
        self._outbox.put("the summary of the front", lambda experiment: self._sent_summary())

    def renew_report(self, report: bytes) -> None:
        """Send the report once more, as it stands now, to the run that shows the front."""
        with self._counting:
            self._summaries_owed += 1
        self._outbox.put("the report", partial(send_report, report=report))
        self._outbox.put("the report", lambda experiment: self._sent_summary())

    @property
    def problem(self) -> str:
        """What stands between the search and MLflow just now, without secrets; empty if nothing does."""
        return "" if self._outbox.in_contact else self._outbox.problem

    def ui_hint(self, *, port: int = 5000, seconds: float = 0.0) -> UiHint | None:
        """Say what to type and what to open to see the search in MLflow.

        Args:
            port: On which ``mlflow ui`` is to serve.
            seconds: How long to wait for MLflow, at most; not at all while it is known to be away.

        Returns:
            The command and the addresses; None while MLflow has not been reached.
        """
        experiment_id = self._outbox.experiment_id(seconds=seconds)
        return ui_hint(self.uri, experiment_id, port=port) if experiment_id else None

    def wait_idle(self, seconds: float, *, say: Callable[[str], None] | None = None) -> bool:
        """Wait until nothing is left to send, so that the thread takes no processor's time from what is measured.

        Args:
            seconds: To wait at most; not at all while MLflow is known to be away.
            say: Is told what is waited for, unless it is soon over.

        Returns:
            Whether the thread rests; it does not while MLflow is away and records wait for it.
        """
        unheard = _SILENT_SECONDS if say is not None and seconds > _SILENT_SECONDS else seconds
        if self._outbox.wait_idle(unheard):
            return True
        if say is None or unheard == seconds or self.problem:
            return False
        say(f"waiting at most {seconds:.0f} s until MLflow has taken what ended, to measure latency alone")
        return self._outbox.wait_idle(seconds - unheard)

    def close(
        self,
        *,
        seconds: float = 30.0,
        seconds_away: float = 2.0,
        most: float = 600.0,
        say: Callable[[str], None] | None = None,
    ) -> TrackingReport:
        """Wait until all is sent, and say what was sent and what was not.

        Args:
            seconds: To wait while MLflow takes nothing; each record that it takes grants them anew.
            seconds_away: To wait instead while it is known to be away; a resumed search sends what it lacks.
            most: To wait in all.
            say: Is told what is waited for, unless it is soon over.
        """
        if say is not None and not self._outbox.wait_idle(_SILENT_SECONDS) and not self.problem:
            say(f"waiting until MLflow has taken what is left; at most {seconds:.0f} s while it takes nothing")
        self._outbox.close(seconds=seconds, seconds_away=seconds_away, most=most)
        with self._counting:
            return TrackingReport(
                sent=len(self._sent),
                unsent=len(self._owed),
                refused=self._outbox.refused,
                summary_owed=self._summaries_owed > 0,
                problem=self._outbox.problem,
            )

    def _open(self, on_progress: Callable[[], None]) -> Experiment:
        return Experiment(
            self.uri,
            self._folder,
            name=self._name,
            tags=self._tags,
            logarithmic=self._logarithmic,
            on_progress=on_progress,
        )

    def _send_trial(self, experiment: Experiment, finished: FinishedTrial) -> None:
        number = finished.trial.number
        try:
            experiment.send_trial(finished)
        except Exception as error:
            if not is_refusal(error):
                raise
            self._outbox.refuse(f"trial {number}", error)
        else:
            with self._counting:
                self._sent.add(number)
        with self._counting:
            self._owed.discard(number)

    def _send_missing(self, experiment: Experiment, run: Run) -> None:
        for finished in experiment.missing(run.trials):
            self._send_trial(experiment, finished)
        there = {finished.trial.number for finished in run.trials if experiment.has(finished)}
        with self._counting:
            self._sent |= there
            self._owed -= there

    def _sent_summary(self) -> None:
        with self._counting:
            self._summaries_owed -= 1
