"""A run found again and read from its folder and its study."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from automl.attribution.facts import attributions_in
from automl.config.environment import expanded
from automl.config.masked import masked_config
from automl.config.places import read_yaml
from automl.errors import UserError
from automl.run import PROXY_USED, Run
from automl.searching.finale import final_measurements
from automl.searching.standing import Standing
from automl.study import stored
from automl.study.ledger import Ledger, open_ledger
from automl.transfer.warm_start import TAKEN

CONFIG_FILE = "config.yaml"
REPORT_FILE = "report.html"
_MLFLOW_ID = re.compile(r"[0-9a-f]{32}")


def load_run(run: str | Path) -> Run:
    """Read a run as it stands, whether its search goes on, was stopped or has ended.

    Args:
        run: Its folder, its name below ``runs``, or the id of one of its MLflow runs.

    Raises:
        UserError: There is no such run, or its search never began.
        WorkFailed: Its storage cannot be reached.
    """
    folder = find_run(run)
    ledger, text = open_run(folder)
    return read_run(folder, ledger, config_text=text)


def open_run(folder: Path) -> tuple[Ledger, str]:
    """Open the study of a run to read it; gives also the text of its config.

    Raises:
        UserError: Its storage cannot be named, as where a variable of the environment is not set.
        WorkFailed: Its storage cannot be reached.
    """
    text = (folder / CONFIG_FILE).read_text(encoding="utf-8")
    plain, _ = read_yaml(text, file=str(folder / CONFIG_FILE))
    storage = plain.get("storage")
    try:
        ledger = open_ledger(folder, storage=None if storage is None else expanded(storage), name=plain["name"])
    except ValueError as error:
        raise UserError(str(error), place=f"{folder / CONFIG_FILE}: storage") from error
    return ledger, text


def read_run(folder: Path, ledger: Ledger, *, config_text: str) -> Run:
    """Put a run together from its open study.

    Raises:
        UserError: Its search was stopped before the first trial.
    """
    kept, kept_limits = ledger.recall("objectives"), ledger.recall("limits")
    if kept is None or kept_limits is None:
        raise UserError("its search was stopped before the first trial; go on with --resume", place=str(folder))
    limits = stored.limits.validate_python(kept_limits)
    final = final_measurements(ledger)
    standing = Standing(stored.objectives.validate_python(kept), limits, final)
    ended = bool(ledger.recall("finished"))
    trials = ledger.finished()
    for finished in sorted(trials, key=lambda finished: finished.ended):
        standing.add(finished)
    return Run(
        name=ledger.name,
        folder=folder,
        config_text=masked_config(config_text),  # it goes into the page, and to MLflow's server
        primary_metric=ledger.recall("primary_metric"),
        primary_higher_is_better=ledger.recall("primary_higher_is_better"),
        front=standing.front(settled=ended),
        limits=limits,
        trials=trials,
        hypervolumes=tuple(standing.hypervolumes),
        teachers=stored.teachers.validate_python(ledger.recall("teachers") or ()),
        machine=ledger.recall("machine"),
        finished=ended,
        tracking=ledger.recall("tracking") or {},
        attributions=attributions_in(ledger),
        warm_start=None if (taken := ledger.recall(TAKEN)) is None else stored.warm_start.validate_python(taken),
        measured=tuple(final),
        proxy=None if (used := ledger.recall(PROXY_USED)) is None else stored.proxy.validate_python(used),
        num_open=ledger.num_running(),
    )


def find_run(run: str | Path) -> Path:
    """Find the folder of a run.

    Args:
        run: Its folder, its name below ``runs``, or the id of one of its MLflow runs.

    Raises:
        UserError: There is none.
    """
    for folder in (Path(run), Path("runs") / run):
        if (folder / CONFIG_FILE).is_file():
            return folder
    for folder in _known_to_mlflow(str(run)) if _MLFLOW_ID.fullmatch(str(run)) else ():
        if (folder / CONFIG_FILE).is_file():
            return folder
    runs = sorted(str(path.parent) for path in Path("runs").glob(f"*/{CONFIG_FILE}"))
    there = f"; there are {', '.join(runs)}" if runs else f"; there are no runs in {Path('runs').absolute()}"
    raise UserError(f"expected the folder of a run, its name or its MLflow run id, got {str(run)!r}{there}")


def _known_to_mlflow(mlflow_run_id: str) -> Iterator[Path]:
    """Ask the server of the environment, or the stores below ``runs``, then all that configs of runs name."""
    from automl.tracking import find_run_folder

    for uri in (None, *_tracking_uris()):
        with suppress(Exception):  # of many servers, one may be away, in whatever way MLflow and its libraries say so
            yield find_run_folder(mlflow_run_id, uri)


def _tracking_uris() -> list[str]:
    """Read where the runs of this folder are tracked; configs that cannot be read are passed over."""
    found = []
    for path in sorted(Path("runs").glob(f"*/{CONFIG_FILE}")):
        try:
            plain, _ = read_yaml(path.read_text(encoding="utf-8"), file=str(path))
            uri = (plain.get("tracking") or {}).get("uri")
            found += [expanded(uri)] if uri else []
        except (UserError, OSError, ValueError, AttributeError, TypeError):
            continue
    return list(dict.fromkeys(found))
