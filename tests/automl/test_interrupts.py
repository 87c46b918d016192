"""Ctrl-C that comes at a bad moment waits for a good one, and is not lost."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.interrupts import ending_at_once, held_back


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Take Ctrl-C as Python does, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_waits_for_the_end_of_the_block(caplog: pytest.LogCaptureFixture) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back("it is done"):
        ctrl_c()
        done.append("the block")
    assert done == ["the block"]
    assert [r.getMessage() for r in caplog.records] == ["stopping as soon as it is done; Ctrl-C again breaks in"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_breaks_in() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back("it is done"):
        ctrl_c()
        ctrl_c()
        done.append("the block")
    assert done == []


def test_it_counts_for_more_than_an_error_in_the_block() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, held_back("it is done"):
        ctrl_c()
        raise ValueError("the first to be told")
    assert isinstance(caught.value.__context__, ValueError)


def test_without_one_nothing_happens() -> None:
    with held_back("it is done"):
        pass
    with pytest.raises(ValueError, match="as it was"), held_back("it is done"):
        raise ValueError("as it was")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_it_goes_on_to_do_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back("it is done"):
        ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_which_hear_of_no_signal_pass_through() -> None:
    done = []

    def work() -> None:
        with held_back("it is done"):
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


SWALLOWING = """
import os, signal
from automl.interrupts import ending_at_once

def end():
    print("the last word", end="")
    return 7

signal.signal(signal.SIGINT, signal.default_int_handler)
with ending_at_once(end):
    try:
        exec("os.kill(os.getpid(), signal.SIGINT)")
    except BaseException:
        pass
print("went on")
"""


def test_ctrl_c_ends_at_once_though_an_import_would_swallow_it() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SWALLOWING]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (7, "the last word", "")


def test_after_the_imports_ctrl_c_is_what_it_was() -> None:
    with ending_at_once(lambda: 7):
        pass
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()
