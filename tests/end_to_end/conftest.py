"""A search that ends in seconds, run as a user runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """
name: small
seed: 3
data: {kind: sklearn, name: digits, labelled: 0.5}
student:
  space: mlp
recipe:
  epochs: 2
  batch_size: 128
  learning_rate: [0.003, 0.01]
  losses: {hard_label: {weight: 1.0}}
objectives: [accuracy, size_bytes]
search: {sampler: tpe, trials: 6, in_flight: 1}
"""


class Search:
    """``automl`` commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "runs" / "small" / "study.journal"
        (folder / "small.yaml").write_text(CONFIG)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command in a process group of its own; it hears Ctrl-C, also where the tests do not."""
        ours = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "automl.cli", *arguments],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        finally:
            signal.signal(signal.SIGINT, ours)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command to its end; gives the exit code, and what it printed."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=280)
        return process.returncode, output, errors

    def wait_for_results(self, count: int) -> None:
        """Wait until so many trials are in the ledger."""
        deadline = time.monotonic() + 120
        while not self.journal.exists() or self.journal.read_text().count('"outcome"') < count:
            assert time.monotonic() < deadline, "no trial ended in two minutes"
            time.sleep(0.02)

    def kill(self, process: "subprocess.Popen[str]") -> None:
        """Kill the controller and all that it started, as a power cut would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


@pytest.fixture
def make_search(tmp_path: Path) -> Callable[[str], Search]:
    """Make searches, each in a folder of its own."""

    def make(name: str) -> Search:
        folder = tmp_path / name
        folder.mkdir()
        return Search(folder)

    return make
