"""Which addresses MLflow can keep runs at."""

import os
from importlib.metadata import entry_points

from automl.masking import mask
from automl.study.storage_driver import require_driver

DATABASES = ("mssql", "mysql", "postgresql", "sqlite")
SERVERS = ("databricks", "http", "https")
_PLUGINS = "mlflow.tracking_store"
"""Where packages enter further kinds of stores for MLflow."""


def require_uri(uri: str) -> None:
    """Make sure that MLflow can take a tracking URI; nothing is spoken to, and MLflow is not imported.

    Args:
        uri: As the user gave it, variables filled in.

    Raises:
        ValueError: It is of no kind that MLflow knows here, or the driver of its database is missing.
    """
    scheme, _, rest = uri.partition(":")
    kind = scheme.partition("+")[0]
    if kind in DATABASES:
        require_driver(uri)
    elif (kind in SERVERS and "://" in uri and rest.strip("/")) or uri == "databricks":
        return
    elif kind not in {point.name for point in entry_points(group=_PLUGINS)} and not _is_allowed_folder(uri):
        raise ValueError(
            f"MLflow takes no tracking URI {mask(uri)!r}; write http://HOST:PORT of a server, "
            "sqlite:////FOLDER/mlflow.db, or null to keep the runs in the run's folder"
        )


def _is_allowed_folder(uri: str) -> bool:
    """Tell a folder; MLflow writes into one only where it is told to."""
    is_folder = uri.startswith("file:") or "://" not in uri
    return is_folder and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
