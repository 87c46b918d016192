"""A report that has grown since its search ended, renewed in the run's folder and in MLflow."""

from collections.abc import Callable

from automl.config import Config
from automl.preparation.prepare import at
from automl.report import write_report
from automl.run import Run
from automl.searching.ended import TRACKED
from automl.study.ledger import Ledger
from automl.tracking import Tracker


def tracking_uri(config: Config) -> str | None:
    """Give the address of MLflow's server, to be found wrong before anything is done.

    Raises:
        UserError: A variable in it is not set.
    """
    with at(config, "tracking", "uri"):
        return config.tracking.expanded_uri()


def renew_report(config: Config, ledger: Ledger, run: Run, *, uri: str | None, say: Callable[[str], None]) -> None:
    """Write the report anew, and send it to MLflow if MLflow has the whole run; else resuming the search sends both.

    Args:
        config: Of the run.
        ledger: Of the run; takes note if MLflow is away, so that resuming the search sends the report.
        run: As it stands now.
        uri: As ``tracking_uri`` gave it.
        say: Is told where the report is, and what MLflow lacks.
    """
    page = write_report(run)
    say(f"the report is {page}")
    if not ledger.recall(TRACKED):
        return
    ledger.remember(TRACKED, False)
    tracker = Tracker(
        uri,
        config.folder,
        experiment=config.tracking.experiment or config.name,
        objectives=run.front.objectives,
        primary_metric=run.primary_metric,
    )
    tracker.renew_report(page.read_bytes())
    if lacking := str(tracker.close(say=say)):
        say(lacking)
    ledger.remember(TRACKED, not lacking)
