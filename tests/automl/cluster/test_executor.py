"""Work on a real cluster: what dies, hangs or raises is told apart, and nothing waits for ever."""

import errno
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from automl.cluster.executor import Executor, LostWorkError, OverdueError, Share, resolve
from automl.cluster.no_cluster import NoClusterError
from automl.errors import UserError, WorkFailed

SHARE = Share(cpus=1.0)
LIGHT = Share(cpus=0.1)


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return " Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


def ended(executor: Executor, task: Any) -> Any:
    while not executor.wait([task], seconds=5.0):
        pass
    return task


def test_results_come_back_in_order_and_one_by_one(executor: Executor) -> None:
    def both(number: int) -> tuple[int, str]:
        return number, "x" * number

    tasks = [executor.submit(both, number, share=LIGHT, returns=2) for number in range(4)]
    for number, task in enumerate(tasks):
        ended(executor, task)
        assert (executor.fetch(task), executor.fetch(task, part=1)) == (number, "x" * number)

    def square(number: int) -> int:
        return number**2

    assert executor.run_all([executor.submit(square, number, share=LIGHT) for number in range(4)]) == [0, 1, 4, 9]
    assert executor.run_all([]) == []


def test_wait_gives_what_ended_and_no_more_than_the_time_asked(executor: Executor) -> None:
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    tasks = [executor.submit(sleep, seconds, share=LIGHT) for seconds in (0.0, 30.0)]
    ended(executor, tasks[0])
    assert executor.wait(tasks, seconds=1.0) == [tasks[0]]
    began = time.monotonic()
    assert executor.wait([tasks[1]], seconds=0.1) == []
    assert time.monotonic() - began < 5


def test_what_is_shared_is_read_by_every_task(executor: Executor) -> None:
    shared = executor.share({"rows": list(range(1000))})

    def count(thing: dict[str, list[int]]) -> int:
        return len(thing["rows"])

    def count_inside(things: tuple[Any]) -> int:
        return len(resolve(things[0])["rows"])

    assert executor.run_all([executor.submit(count, shared, share=LIGHT)]) == [1000]
    assert executor.run_all([executor.submit(count_inside, (shared,), share=LIGHT)]) == [1000]


def test_an_exception_comes_back_as_itself(executor: Executor) -> None:
    class OwnError(ValueError):
        pass

    def fail(kind: type[Exception]) -> None:
        raise kind("no such class: 'dog'")

    for kind in (KeyError, OwnError, UserError, OSError):
        task = ended(executor, executor.submit(fail, kind, share=LIGHT))
        with pytest.raises(Exception, match="no such class: 'dog'") as caught:
            executor.fetch(task)
        assert [base.__name__ for base in type(caught.value).__mro__[:2]] == [c.__name__ for c in kind.__mro__[:2]]
        assert not isinstance(caught.value, LostWorkError)


def test_an_exception_that_cannot_travel_is_told_all_the_same(executor: Executor) -> None:
    def fail() -> None:
        error = RuntimeError("the reason")
        error.lock = __import__("threading").Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(Exception, match="the reason"):
        executor.run_all([executor.submit(fail, share=LIGHT)])


def test_a_killed_process_is_lost_work_and_told_by_fetch_alone(
    executor: Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    task = ended(executor, executor.submit(die, share=LIGHT))
    with pytest.raises(LostWorkError, match="its process died") as caught:
        executor.fetch(task)
    assert not isinstance(caught.value, OverdueError)
    time.sleep(1.0)  # Ray would write of it from a thread, a moment later.
    assert capsys.readouterr().out == ""


def test_run_all_starts_again_what_was_killed(
    executor: Executor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def die_at_first(folder: Path, tries: int) -> int:
        count = len(list(folder.iterdir()))
        (folder / str(count)).touch()
        if count < tries:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    once, always = tmp_path / "once", tmp_path / "always"
    once.mkdir()
    always.mkdir()
    assert executor.run_all([executor.submit(die_at_first, once, 1, share=LIGHT)]) == [1]
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("a task: its process died")
    assert told.endswith("; it starts again, attempt 2 of 3")
    with pytest.raises(WorkFailed, match="a task failed 3 times: its process died"):
        executor.run_all([executor.submit(die_at_first, always, 99, share=LIGHT)])
    assert len(list(always.iterdir())) == 3


def test_a_task_that_hangs_is_stopped_at_its_deadline(executor: Executor, tmp_path: Path) -> None:
    def hang(file: Path) -> None:
        file.write_text(str(os.getpid()))
        time.sleep(600)

    file = tmp_path / "pid"
    task = executor.submit(hang, file, share=LIGHT, seconds=5.0)
    began = time.monotonic()
    assert ended(executor, task) is task
    with pytest.raises(OverdueError, match="longer than allowed"):
        executor.fetch(task)
    assert time.monotonic() - began < 60
    wait_until(lambda: not is_alive(int(file.read_text())))  # Its connection closes a moment before it is gone.


def test_a_task_that_holds_python_s_lock_is_stopped_too(executor: Executor) -> None:
    def hold() -> None:
        re.match(r"(a+)+$", "a" * 60 + "b")  # It backtracks for years, within one call.

    task = ended(executor, executor.submit(hold, share=LIGHT, seconds=1.0))
    with pytest.raises(OverdueError):
        executor.fetch(task)


def test_a_task_that_ends_in_time_leaves_its_process_to_the_next(executor: Executor) -> None:
    def quick() -> tuple[str, bytes]:
        return "done", b"0" * 1_000_000

    task = ended(executor, executor.submit(quick, share=LIGHT, returns=2, seconds=2.0))
    late = replace(task, deadline=time.monotonic() - 1.0)
    assert executor.fetch(late) == "done"
    assert len(executor.fetch(late, part=1)) == 1_000_000

    def slow() -> str:
        time.sleep(3.0)
        return "done"

    assert executor.run_all([executor.submit(slow, share=LIGHT) for _ in range(2)]) == ["done"] * 2


def test_measurements_run_one_at_a_time(executor: Executor) -> None:
    def span() -> tuple[float, float]:
        began = time.monotonic()
        time.sleep(0.2)
        return began, time.monotonic()

    share = Share(cpus=0.1, measuring=True)
    spans = sorted(executor.run_all([executor.submit(span, share=share) for _ in range(4)]))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_more_than_the_machine_has_is_refused_and_not_waited_for(executor: Executor) -> None:
    with pytest.raises(UserError, match=r"resources\.cpus: a trial asks for 64 CPUs, this machine has 2; lower it"):
        executor.submit(time.sleep, 0, share=Share(cpus=64))
    with pytest.raises(UserError, match=r"resources\.gpus: a trial asks for 99 GPUs"):
        executor.submit(time.sleep, 0, share=Share(gpus=99))


def test_on_a_cluster_it_is_waited_for_and_told_once(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(executor, "local", False)
    monkeypatch.setattr(executor, "_most", {})
    monkeypatch.setattr("automl.cluster.unserved.TELL_AFTER", 0.0)

    def nothing() -> None:
        """It never runs."""

    task = executor.submit(nothing, share=Share(cpus=64, gpus=2))
    for _ in range(2):
        assert executor.wait([task], seconds=0.1) == []
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for a machine with 64 CPU and 2 GPU: none of the cluster's 1 has that (at most 2 CPU and 0 GPU); "
        "add one, or stop the search and lower resources"
    ]


@pytest.mark.parametrize(("share", "room"), [(Share(cpus=1), 2), (Share(cpus=0.5), 4), (Share(cpus=2), 1)])
def test_room_is_what_fits_beside_each_other(executor: Executor, share: Share, room: int) -> None:
    assert executor.room(share) == room


def test_no_more_are_in_flight_on_this_machine_than_there_is_room_for(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [executor.in_flight(asked, SHARE) for asked in (None, 1, 64)] == [2, 1, 2]
    monkeypatch.setattr(executor, "local", False)  # A cluster may grow.
    assert [executor.in_flight(asked, SHARE) for asked in (None, 1, 64)] == [2, 1, 64]


def test_nobody_else_may_run_code_on_the_cluster(executor: Executor) -> None:
    assert executor.num_nodes == 1
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_workers_report_no_usage_to_anybody(executor: Executor) -> None:
    def usage() -> str:
        return os.environ.get("RAY_USAGE_STATS_ENABLED", "")

    assert executor.run_all([executor.submit(usage, share=LIGHT)]) == ["0"]


def test_a_cluster_that_is_not_there_is_told(executor: Executor) -> None:
    del executor  # Ray serves this process already, and refuses a second cluster.
    with pytest.raises(WorkFailed, match="cannot join the Ray cluster at this machine"):
        Executor()


def test_ray_that_does_not_start_in_time_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(**_: Any) -> None:
        raise Exception("The current node timed out during startup.")  # noqa: TRY002 - as Ray does

    monkeypatch.setattr("ray.init", late)
    message = r"Ray did not start on this machine within 0 s: The current node timed out .*\. .* busy; try again"
    with pytest.raises(NoClusterError, match=message):
        Executor()
    with pytest.raises(NoClusterError, match=r"cannot join the Ray cluster at head:6379: The current node"):
        Executor(address="head:6379")


def test_a_full_disk_is_told_as_such_where_ray_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        Executor()
