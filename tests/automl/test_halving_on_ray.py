"""Halving on a real cluster: checkpoints go from worker to worker, and may be lost."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl.cluster.executor import Executor, LostWorkError, Share
from automl.searching.rungs import Rungs
from automl.searching.stop_rule import StopRule
from search_spaces import Choice, Integer, StudentSpec
from tests.automl.controlled import RECIPE, Function, Search
from trials.records import Trial

RUNGS = Rungs(epochs=(1, 3), longest=9, reduction=2)
ONE = (Choice(name="width", domain=Integer(low=1, high=1000)),)


def make_trial(proposal: Any) -> Trial:
    spec = StudentSpec(space="own", values=proposal.values)
    return Trial(number=proposal.number, spec=spec, recipe=replace(RECIPE, epochs=9), seed=0)


def real_function(folder: Path, *, dying: int = -1) -> Function:
    """Make a trial that Ray sends by value; its checkpoint is large, and a task from ``dying`` on dies once."""

    def function(trial: Any, setting: Any, underway: Any, until_epoch: Any) -> Any:
        import os
        import signal

        import numpy as np

        from trials.records import Artefacts, Candidate, EpochRecord, Latency, Outcome, TrialResult

        del setting
        begun = 0 if underway is None else int(underway[0])
        epoch = until_epoch or 9
        with (folder / f"{trial.number}").open("a") as file:
            file.write(f"{begun}-{epoch} ")
        if begun == dying and not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        latency = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=1, provisional=True, device="none")
        metrics = {"accuracy": 0.1 * epoch, "size_bytes": float(trial.spec.values["width"])}
        outcome = Outcome.TRAINED if until_epoch is None else Outcome.PRUNED
        records = [EpochRecord(epoch=n + 1, losses={}, learning_rate=0.1, seconds=0.0) for n in range(epoch)]
        result = TrialResult(
            number=trial.number,
            digest=trial.digest,
            outcome=outcome,
            candidates=(Candidate(precision="float32", metrics=metrics, latency=latency),),
            history=tuple(records),
        )
        return result, Artefacts() if until_epoch is None else np.full(200_000, float(epoch))

    return function


def tasks(folder: Path, number: int) -> list[str]:
    return (folder / str(number)).read_text().split()


def search_of(folder: Path, executor: Executor, function: Function, **changes: Any) -> Search:
    return Search(folder, executor, function, choices=ONE, rungs=RUNGS, make_trial=make_trial, **changes)


def test_on_ray_rungs_go_on_from_each_other(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    search = search_of(tmp_path, executor, real_function(tmp_path / "marks"), in_flight=2, stop=StopRule(trials=4))
    search.run()
    assert len(search.outcomes) == 4
    # Whichever comes to a rung first goes on from there.
    assert ["0-1", "1-3", "3-9"] in [tasks(tmp_path / "marks", number) for number in range(4)]
    for finished in search.ledger.finished():
        assert len(tasks(tmp_path / "marks", finished.trial.number)) == len(finished.rungs) + all(
            record.goes_on for record in finished.rungs
        )


def test_on_ray_a_worker_that_is_killed_at_a_later_rung_starts_its_trial_again(
    executor: Executor, tmp_path: Path
) -> None:
    (tmp_path / "marks").mkdir()
    function = real_function(tmp_path / "marks", dying=3)
    search = search_of(tmp_path, executor, function, retries=1, stop=StopRule(trials=1))
    search.run()
    assert search.outcomes == [(0, "trained")]
    assert tasks(tmp_path / "marks", 0) == ["0-1", "1-3", "3-9", "0-9"]


def test_on_ray_a_checkpoint_that_is_gone_is_lost_work(executor: Executor) -> None:
    def leave() -> tuple[int, list[Any]]:
        import os

        import numpy as np
        import ray

        return os.getpid(), [ray.put(np.zeros(500_000))]  # It is gone with its process, as else with its machine.

    def go_on(left: Any) -> float:
        return float(left.sum())

    leaving = executor.submit(leave, share=Share(), returns=2)
    (pid,) = executor.run_all([leaving])
    (left,) = executor.fetch(leaving, part=1)
    os.kill(pid, signal.SIGKILL)
    task = executor.submit(go_on, left, share=Share())
    deadline = time.monotonic() + 60
    while not executor.wait([task], seconds=1.0):
        assert time.monotonic() < deadline, "it waits for what never comes"
    with pytest.raises(LostWorkError):
        executor.fetch(task)
