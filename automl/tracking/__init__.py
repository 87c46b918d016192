"""The search as MLflow shows it: a run a trial, the front on top, sent from a thread of its own."""

from automl.tracking.address import require_uri
from automl.tracking.connection import find_run_folder
from automl.tracking.delivery import TrackingReport
from automl.tracking.models import Example
from automl.tracking.sending import SendingTrials
from automl.tracking.summary import Summary
from automl.tracking.tracker import Tracker
from automl.tracking.views import UiHint

__all__ = [
    "Example",
    "SendingTrials",
    "Summary",
    "Tracker",
    "TrackingReport",
    "UiHint",
    "find_run_folder",
    "require_uri",
]
