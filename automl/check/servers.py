"""Whether servers that a config names answer, as of now: a search does without one, and cannot without the other."""

import socket
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from automl.config import Config
from automl.errors import WorkFailed
from automl.masking import mask

_SECONDS = 2.0
_PORTS = {"http": 80, "https": 443}


def require_cluster(config: Config) -> None:
    """Make sure that the head of a cluster takes a connection within two seconds, where it is given as ``host:port``.

    Raises:
        WorkFailed: It does not, so that a search would stop at once.
    """
    host, _, port = (config.address or "").rpartition(":")
    if host and port.isdecimal() and not _answers(host, int(port)):
        raise WorkFailed(
            f"{config.place('address')}: the cluster at {config.address} does not answer, and a search would stop "
            "there; start it, mend the address, or leave it out to search on this machine"
        )


def silent_servers(config: Config) -> Iterator[str]:
    """Say which servers that a search can do without take no connection within two seconds.

    Args:
        config: Its tracking server.
    """
    uri = config.tracking.expanded_uri() or ""
    parts = urlsplit(uri)
    is_server = parts.scheme in _PORTS and parts.hostname is not None
    if is_server and not _answers(str(parts.hostname), _port(parts)):
        yield (
            f"MLflow's server {mask(uri)} does not answer now; a search goes on without it, and sends its records when "
            "it is back"
        )


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError:  # There is no such port, so that nobody answers at it.
        return 0


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return True
    except (OSError, OverflowError):
        return False
