"""Which server is asked, and how hard."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Server:
    """Whom to ask, and how hard.

    Args:
        url: Up to the version, such as ``http://localhost:8000/v1``.
        model: As the server names it.
        api_key_env: Environment variable that holds the key; None sends none. The key itself is read when a request is
            sent and is kept nowhere.
        requests_per_minute: At most, of all processes of this machine together; None sets no pace.
        concurrency: Requests under way at a time.
        retries: How often a request is sent again after a failure that may pass.
        timeout_seconds: Without a word from the server after which a request has failed.
        max_requests: That one process may send, those sent again among them; None sets no bound.
    """

    url: str
    model: str
    api_key_env: str | None = None
    requests_per_minute: float | None = None
    concurrency: int = 4
    retries: int = 6
    timeout_seconds: float = 60.0
    max_requests: int | None = None

    def __post_init__(self) -> None:
        """Reject an address that cannot be asked, or that holds a secret, which is not shown."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                "url must begin with http:// or https:// and name a host, such as http://localhost:8000/v1"
            )
        if parts.username or parts.password or parts.query:
            raise ValueError(
                "url must hold no user, password or query; name the environment variable that holds the key in "
                "api_key_env"
            )

    def address(self, path: str) -> str:
        """Give the address of a path, such as ``chat/completions``."""
        return f"{self.url.rstrip('/')}/{path}"
