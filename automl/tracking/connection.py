"""How MLflow is reached: settings that keep it quiet and safe, addresses without secrets."""

import logging
import os
import re
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

from automl.masking import mask
from automl.tracking.rows import FOLDER_TAG

STORE_FILE = "mlflow.db"
ARTEFACT_FOLDER = "mlartifacts"

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The tracker retries on its own, from a look at what the server has. MLflow's own retries would send a run twice
    # when an answer is lost, and hold the thread for four minutes when the server is away.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "GIT_PYTHON_REFRESH": "quiet",
}

_WARNINGS = (
    "The ``noload`` loader strategy is deprecated",  # MLflow's store asks SQLAlchemy for what it gave up
    ".*Any type hint is inferred as AnyType",  # MLflow warns of classes of its own as it imports them
)
"""MLflow's warnings about itself, which tell a user of ours nothing."""


def default_uri(folder: Path) -> str:
    """Name the store in a run's folder, which is used where the config gives no tracking URI."""
    return f"sqlite:///{(folder / STORE_FILE).resolve()}"


def is_server(uri: str) -> bool:
    """Say whether a server answers under a tracking URI, which then keeps the artefacts too."""
    return not re.match(r"(sqlite|postgresql|mysql|mssql)[+:]", uri)


def quiet_mlflow() -> None:
    """Set what MLflow reads from the environment, where the user has not, and silence its chatter about itself.

    It must run before MLflow is imported, and it may run again.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    for name, level in {"mlflow": logging.ERROR, "alembic": logging.ERROR, "urllib3": logging.ERROR}.items():
        logger = logging.getLogger(name)
        if logger.level < level:
            logger.setLevel(level)
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def connect(uri: str) -> Any:
    """Make a client of MLflow for a tracking URI.

    Importing MLflow takes two seconds, and making a new database three: call it where nobody waits.

    Args:
        uri: As MLflow takes it.

    Returns:
        ``mlflow.MlflowClient``.
    """
    quiet_mlflow()
    from mlflow import MlflowClient

    quiet_mlflow()  # importing MLflow sets the level of its logger anew
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not file.exists():
        # MLflow makes its tables in fifty steps. Killed between them, they would stay half made for good.
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f".{file.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        MlflowClient(f"sqlite:///{unfinished}").search_experiments(max_results=1)
        unfinished.replace(file)
    return MlflowClient(uri)


def find_run_folder(mlflow_run_id: str, uri: str | None = None, *, search_in: Path = Path("runs")) -> Path:
    """Find the folder of the search that an MLflow run belongs to.

    Args:
        mlflow_run_id: Of a trial's run, or of the summary run.
        uri: Tracking URI; without one, ``MLFLOW_TRACKING_URI``; without that either, the stores in the folders of
            ``search_in`` are looked through.
        search_in: Where the runs' folders are.

    Returns:
        The run's folder, which exists.

    Raises:
        ValueError: If no such run is found, or it does not name a folder that is there.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    named = _ask_server(mlflow_run_id, uri) if uri else _ask_folders(mlflow_run_id, search_in)
    if not named.is_dir():
        raise ValueError(f"MLflow run {mlflow_run_id!r} belongs to {named}, which is not there; give the run's folder")
    return named


def _ask_server(mlflow_run_id: str, uri: str) -> Path:
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not file.exists():  # to connect would make it
        raise ValueError(f"no MLflow run {mlflow_run_id!r} at {mask(uri)}: there is no such file")
    client = connect(uri)
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_run(mlflow_run_id).data.tags
    except MlflowException as error:
        raise ValueError(f"no MLflow run {mlflow_run_id!r} at {mask(uri)}: {mask(str(error))}") from None
    if FOLDER_TAG not in tags:
        raise ValueError(f"MLflow run {mlflow_run_id!r} is not of a search: it has no tag {FOLDER_TAG!r}")
    return Path(tags[FOLDER_TAG])


def _ask_folders(mlflow_run_id: str, search_in: Path) -> Path:
    stores = sorted(search_in.glob(f"*/{STORE_FILE}"))
    for store in stores:
        # Read without MLflow: importing it takes longer than looking through a hundred stores.
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            try:
                found = connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (mlflow_run_id,)).fetchone()
            except sqlite3.DatabaseError:  # another store is being made just now, or is none of MLflow's
                continue
        if found:
            return store.parent
    raise ValueError(
        f"no MLflow run {mlflow_run_id!r} in the {len(stores)} stores below {search_in}; "
        "give the run's folder, or set MLFLOW_TRACKING_URI"
    )
