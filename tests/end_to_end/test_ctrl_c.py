"""Ctrl-C at any moment of a search's start: a message that says how to go on, exit code 1, and nothing left behind."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

STARTING = "the run is kept in"
MEASURING = "measuring what the space can reach"


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("line", "seconds", "send"),
    [
        ("", 1.0, os.kill),  # While libraries are imported.
        (STARTING, 0.3, os.killpg),  # While Ray starts; a terminal tells the whole process group.
        (STARTING, 1.5, os.kill),
        (MEASURING, 0.5, os.killpg),
    ],
)
def test_ctrl_c_in_the_first_seconds_ends_in_its_message(
    make_search: Callable[[str], Any], line: str, seconds: float, send: Callable[[int, int], None]
) -> None:
    search = make_search("stopped")
    process = search.start("search", "small.yaml", "--trials", "5")
    said = ""
    while line not in said:
        said += (read := process.stderr.readline())
        assert read, f"it ended before {line!r}: {said}"
    time.sleep(seconds)
    send(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (1, "")
    lines = (said + errors).splitlines()
    assert lines[-1] == "stopped; go on with: automl search small.yaml --resume --trials 5"
    assert all(known.startswith((STARTING, MEASURING, "stopping as soon as")) for known in lines[:-1]), lines
    assert is_gone(process.pid, seconds=30)


def is_gone(group: int, *, seconds: float) -> bool:
    """Tell whether all processes of a group have ended, within a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
