"""Follows a search, and hands the trials that end on to MLflow."""

from automl.run import FinishedTrial
from automl.searching.standing import Standing
from automl.tracking.tracker import Tracker


class SendingTrials:
    """Listens to a search; the tracker's own thread does the work.

    Args:
        tracker: Takes the trials.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def on_finished(self, finished: FinishedTrial, standing: Standing) -> None:
        """Queue it."""
        del standing
        self._tracker.add(finished)

    def on_tick(self, standing: Standing, *, running: int, proposed: int) -> None:
        """MLflow hears of trials that ended only."""
