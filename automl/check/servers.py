"""Whether servers that a config names answer, as of now: a search would wait for them, or do without."""

import socket
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from automl.config import Config
from automl.masking import mask

_SECONDS = 2.0
_PORTS = {"http": 80, "https": 443}


def silent_servers(config: Config) -> Iterator[str]:
    """Say which servers do not take a connection within two seconds; nothing else is said to them.

    Args:
        config: Its tracking server, and the head of its cluster where that is ``host:port``.
    """
    uri = config.tracking.expanded_uri() or ""
    parts = urlsplit(uri)
    is_server = parts.scheme in _PORTS and parts.hostname is not None
    if is_server and not _answers(str(parts.hostname), _port(parts)):
        yield (
            f"MLflow's server {mask(uri)} does not answer now; a search goes on without it, and sends its records when "
            "it is back"
        )
    host, _, port = (config.address or "").rpartition(":")
    if host and port.isdecimal() and not _answers(host, int(port)):
        yield f"the cluster at {config.address} does not answer now; a search would stop there"


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
