"""A run that has ended, and whether its config asks for more."""

from automl.config import Config, load_config
from automl.errors import UserError, WorkFailed
from automl.run import Run
from automl.run_folder import CONFIG_FILE, REPORT_FILE, read_run
from automl.searching.standing import Standing
from automl.searching.stop_rule import StopRule
from automl.study import stored
from automl.study.ledger import Ledger, open_ledger

TRACKED = "tracked"
"""Fact in the study: whether MLflow had all of the run when its search ended."""


def nothing_left(config: Config) -> tuple[Run, str] | None:
    """Look whether a search that is to go on has anything to do.

    Nothing is started for it: neither data nor teachers are read, and Ray and MLflow are left alone.

    Args:
        config: Of a run that exists; it fits what the run began with.

    Returns:
        The run, and why its search ended; None where something is to be done: trials that are open or asked for by
        the stop rule, other limits, a front to measure, a report to write, or records that MLflow lacks.
    """
    try:
        ledger = open_ledger(config.folder, storage=config.expanded_storage(), name=config.name)
        before = load_config(config.folder / CONFIG_FILE, files_must_exist=False)
        done = bool(ledger.recall("finished") and ledger.recall(TRACKED))
        if not done or before.tracking != config.tracking or not (config.folder / REPORT_FILE).exists():
            return None
        run = read_run(config.folder, ledger, config_text=(config.folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (UserError, WorkFailed, ValueError, OSError):  # It is told where the search opens the same.
        return None
    if run.limits != config.limits or ledger.num_running():
        return None
    reason = _reason(config, ledger, run)
    return (run, reason) if reason else None


def _reason(config: Config, ledger: Ledger, run: Run) -> str:
    """Ask the stop rule, as of a search that begins now."""
    standing = Standing(stored.objectives.validate_python(ledger.recall("objectives")), run.limits)
    standing.hypervolumes.extend(run.hypervolumes)
    searched = bool(config.recipe.choices()) or config.student.fixed_values(config.student.make_space()) is None
    return StopRule.of(config.search, searched=searched).reason(standing, proposed=len(run.trials), seconds=0.0)
