"""A server of OpenAI's kind in a process of its own, and what it was asked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Served:
    """A server and what it was asked."""

    def __init__(self, port: str, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._log = log

    def asked(self, model: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [line for line in lines if line["model"] == model]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("server") / "log"
    log.touch()
    script = Path(__file__).parent / "endpoint_server.py"
    with subprocess.Popen([sys.executable, script, log], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Served(process.stdout.readline().strip(), log)
        process.terminate()
