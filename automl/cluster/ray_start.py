"""How Ray starts: closed to others, and silent."""

import os
import secrets
from typing import Any


def require_token() -> None:
    """Let nobody else run code on the cluster that this process starts.

    Ray listens on every network interface, also when it serves this machine alone; now its callers need a token that
    only this process and its children know.
    """
    from ray._raylet import Config

    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    Config.initialize("")  # Ray read its settings when it was imported; this makes it read them again.


def say_nothing_of_deaths() -> None:
    """Keep standard output for results: Ray writes there of every process that dies, and ``fetch`` tells it too."""
    from ray._private import worker

    tell = worker.print_to_stdstream

    def tell_of_others(data: dict[str, Any], ignore_prefix: bool) -> None:
        if data.get("pid") != "raylet":
            tell(data, ignore_prefix)

    worker.print_to_stdstream = tell_of_others
