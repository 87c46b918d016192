"""The loop of a search with real workers: killed, hanging, or left to the next search."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from automl.cluster.executor import Executor, Share, Task
from automl.searching.stop_rule import StopRule
from tests.automl.controlled import Function, Search, tmp_path_of
from trials.records import Artefacts, TrialResult


def real_function(folder: Path, *, hanging: int = -1, dying: int = -1, tries: int = 0) -> Function:
    """Make a trial that Ray sends by value, with numbers that hang, or whose process dies at the first tries."""

    def function(trial: Any, setting: Any) -> Any:
        import os
        import signal
        import time

        from trials.records import Candidate, Latency, Outcome

        del setting
        mark = folder / f"{trial.number}-{len(list(folder.glob(f'{trial.number}-*')))}"
        mark.write_text(str(os.getpid()))
        if trial.number == hanging:
            time.sleep(600)
        if trial.number == dying and len(list(folder.glob(f"{trial.number}-*"))) <= tries:
            os.kill(os.getpid(), signal.SIGKILL)
        latency = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=1, provisional=True, device="none")
        metrics = {"accuracy": 0.5, "size_bytes": float(trial.spec.values["width"])}
        candidate = Candidate(precision="float32", metrics=metrics, latency=latency)
        result = TrialResult(number=trial.number, digest=trial.digest, outcome=Outcome.TRAINED, candidates=(candidate,))
        return result, Artefacts(files={"graph": b"0"})

    return function


def test_on_ray_a_killed_worker_is_retried_and_then_counted(executor: Executor, tmp_path: Path) -> None:
    marks = tmp_path_of(tmp_path, "marks")
    search = Search(
        tmp_path, executor, real_function(marks, dying=1, tries=1), retries=1, in_flight=2, stop=StopRule(trials=4)
    )
    search.run()
    assert search.outcomes == [(number, "trained") for number in range(4)]
    assert sorted(path.name for path in marks.iterdir()) == ["0-0", "1-0", "1-1", "2-0", "3-0"]

    folder = tmp_path_of(tmp_path, "always")
    marks = tmp_path_of(folder, "marks")
    search = Search(folder, executor, real_function(marks, dying=1, tries=9), retries=1, stop=StopRule(trials=3))
    search.run()
    assert search.outcomes == [(0, "trained"), (1, "failed"), (2, "trained")]
    assert "its process died" in search.ledger.finished()[1].result.error
    assert sorted(path.name for path in marks.iterdir()) == ["0-0", "1-0", "1-1", "2-0"]


def test_on_ray_a_trial_that_hangs_ends_at_its_deadline(executor: Executor, tmp_path: Path) -> None:
    def warm_up() -> None:
        import trials.records  # noqa: F401 - it brings PyTorch, which takes a new process seconds

        time.sleep(0.5)

    executor.run_all([executor.submit(warm_up, share=Share()) for _ in range(2)])
    marks = tmp_path_of(tmp_path, "marks")
    search = Search(
        tmp_path,
        executor,
        real_function(marks, hanging=0),
        seconds=8.0,
        retries=2,
        in_flight=2,
        stop=StopRule(trials=3),
    )
    search.run()
    assert search.outcomes == [(0, "failed"), (1, "trained"), (2, "trained")]
    assert [f.trial.number for f in search.listening.finished][-1] == 0


def test_on_ray_ctrl_c_leaves_trials_running_and_their_time_still_ends(
    executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path_of(tmp_path, "marks")
    wait = executor.wait
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs begin without.

    def interrupted(tasks: Sequence[Task], *, seconds: float) -> list[Task]:
        if (marks / "0-0").exists() and (marks / "0-0").read_text():
            os.kill(os.getpid(), signal.SIGINT)
        return wait(tasks, seconds=min(seconds, 0.1))

    monkeypatch.setattr(executor, "wait", interrupted)
    search = Search(tmp_path, executor, real_function(marks, hanging=0), seconds=10.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            search.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert search.outcomes == []
    pid = int((marks / "0-0").read_text())
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and " Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline, "the worker was not stopped"
        time.sleep(0.05)
    monkeypatch.undo()
    again = Search(tmp_path, executor, real_function(marks), stop=StopRule(trials=2))
    again.run()
    assert again.outcomes == [(0, "trained"), (1, "trained")]
