"""A server that is away, slow or deaf costs the search nothing."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from automl.run import Run
from automl.tracking import Summary, Tracker
from automl.tracking import summary as summary_module
from automl.tracking import tracker as tracker_module
from automl.tracking.delivery import told_plainly
from automl.tracking.experiment import Experiment

Store = Any  # of conftest.py, which cannot be imported


def test_an_outage_delays_trials_and_keeps_their_order(
    run: Run,
    start: Callable[..., Tracker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    store: Store,
) -> None:
    away = [True]

    class Shaky(Experiment):
        def send_trial(self, finished: Any) -> str:
            if finished.trial.number == 2 and away[0]:
                raise ConnectionError("server went away")
            return super().send_trial(finished)

    monkeypatch.setattr(tracker_module, "Experiment", Shaky)
    tracker = start()
    for finished in run.trials[:5]:
        tracker.add(finished)
    deadline = time.monotonic() + 20
    while not tracker.problem and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "server went away" in tracker.problem
    away[0] = False
    report = tracker.close(seconds=20)
    assert (report.sent, report.unsent, tracker.problem) == (5, 0, "")
    assert store.names() == [f"trial-{number:04d}" for number in range(5)]
    said = [record.getMessage() for record in caplog.records if record.name == "automl.tracking"]
    assert len(said) == 2, "once when it goes, once when it is back"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_unreachable_server_costs_the_search_nothing_and_is_reported(
    run: Run, start: Callable[..., Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    before = time.monotonic()
    tracker = start(f"http://alice:s3cret@127.0.0.1:{unused_port()}")
    for finished in run.trials:
        tracker.add(finished)
    tracker.finish(Summary(run=run))
    assert time.monotonic() - before < 0.5
    assert tracker.ui_hint() is None
    while not tracker.problem:
        time.sleep(0.01)
    before = time.monotonic()
    report = tracker.close(seconds=0.5)
    assert time.monotonic() - before < 2
    assert (report.sent, report.unsent, report.summary_owed) == (0, 8, True)
    assert "8 of 8 trials and the summary of the front" in str(report)
    assert "resuming the search sends them" in str(report)
    assert report.problem.startswith("http://***@127.0.0.1")
    assert report.problem.endswith(": nothing answers there")
    assert report.problem not in str(report), "it was told when the contact was lost"
    assert "s3cret" not in str(report) + caplog.text
    assert "alice" not in str(report) + caplog.text


def test_nobody_waits_for_a_server_that_is_known_to_be_away(run: Run, start: Callable[..., Tracker]) -> None:
    tracker = start(f"http://127.0.0.1:{unused_port()}")
    tracker.sync(run)
    told: list[str] = []
    before = time.monotonic()
    assert tracker.ui_hint(seconds=60) is None
    assert tracker.wait_idle(60, say=told.append) is False
    assert tracker.close(seconds_away=0.5).unsent == 8
    assert time.monotonic() - before < 20, "importing MLflow takes a while, but far from a minute"
    assert told == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPConnectionPool(host='x', port=1): Read timed out. (read timeout=20)", "it does not answer in time"),
        ("NameResolutionError(\"Failed to resolve 'x'\")", "no machine of this name is known"),
        ("API request to endpoint /api failed with error code 403 != 200", "it refuses to let this user in"),
        ("API request to endpoint /api failed with error code 503 != 200", "it fails itself; see its log"),
    ],
)
def test_a_server_that_is_away_is_told_in_plain_words(text: str, expected: str) -> None:
    assert told_plainly("http://bob:s3cret@x:1", OSError(text)) == f"http://***@x:1: {expected}"


@pytest.mark.slow
def test_records_reach_a_server_that_comes_up_late(
    start: Callable[..., Tracker], empty_store: Path, store: Store, example: NDArray[Any], png: bytes
) -> None:
    run = store.run
    port = unused_port()
    tracker = start(f"http://127.0.0.1:{port}")
    for finished in run.trials:
        tracker.add(finished)
    while not tracker.problem:
        time.sleep(0.01)
    database = run.folder / "server.db"
    shutil.copy(empty_store, database)
    store.export_members()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        f"sqlite:///{database}",
        "--port",
        str(port),
    ]
    command += ["--workers", "1", "--artifacts-destination", str(run.folder / "served")]
    with (
        (run.folder / "server.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True) as server,
    ):
        try:
            tracker.finish(Summary(run=run, files={"front.png": png}, example=example))
            report = tracker.close(seconds=200, seconds_away=200)
        finally:
            os.killpg(server.pid, 15)
    assert (report.sent, report.unsent, report.summary_owed) == (8, 0, False)
    with closing(sqlite3.connect(database)) as connection:
        sent = [name for (name,) in connection.execute("SELECT name FROM runs ORDER BY rowid")]
    assert sent == [*(f"trial-{number:04d}" for number in range(8)), "★ front"]


def test_a_front_that_takes_long_is_sent_while_it_gets_on(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, store: Store, example: NDArray[Any]
) -> None:
    def slow(*arguments: Any, **named: Any) -> None:
        time.sleep(0.3)

    store.export_members()
    monkeypatch.setattr(summary_module, "send_model", slow)
    assert len(run.front.members) >= 4
    tracker = start()
    assert tracker.wait_idle(20)
    tracker.sync(run)
    assert tracker.wait_idle(20)
    tracker.finish(Summary(run=run, example=example))
    before = time.monotonic()
    report = tracker.close(seconds=1.0)
    assert (report.summary_owed, str(report)) == (False, "")
    assert time.monotonic() - before > 1.0, "longer than without progress"


def test_waiting_ends_in_all_and_where_nothing_gets_on(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, example: NDArray[Any]
) -> None:
    monkeypatch.setattr(summary_module, "send_model", lambda *arguments, **named: time.sleep(0.2))
    for seconds, most in ((0.1, 60.0), (60.0, 0.1)):
        tracker = start()
        tracker.sync(run)
        assert tracker.wait_idle(20)
        tracker.finish(Summary(run=run, example=example))
        before = time.monotonic()
        tracker.close(seconds=seconds, most=most)
        assert time.monotonic() - before < 10


def test_the_tracker_is_idle_when_all_is_sent_and_not_before(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    go_on = threading.Event()

    class Waiting(Experiment):
        def send_trial(self, finished: Any) -> str:
            go_on.wait(20)
            return super().send_trial(finished)

    monkeypatch.setattr(tracker_module, "Experiment", Waiting)
    tracker = start()
    tracker.add(run.trials[0])
    assert tracker.wait_idle(0.05) is False
    monkeypatch.setattr(tracker_module, "_SILENT_SECONDS", 0.05)
    told: list[str] = []
    assert tracker.wait_idle(0.1, say=told.append) is False
    assert told == ["waiting at most 0 s until MLflow has taken what ended, to measure latency alone"]
    tracker.close(seconds=0.1, say=told.append)
    assert told[1:] == ["waiting until MLflow has taken what is left; at most 0 s while it takes nothing"]
    go_on.set()
    assert tracker.wait_idle(20) is True
    assert store.names() == ["trial-0000"]
