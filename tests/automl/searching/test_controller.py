"""The loop of a search: nothing is lost, nothing runs twice, and it ends when it should."""

import errno
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl.cluster.executor import LostWorkError, OverdueError, Task
from automl.errors import WorkFailed
from automl.searching.controller import MOST_REPEATS
from automl.searching.stop_rule import StopRule
from automl.searching.students import Students
from automl.study.ledger import Proposal
from search_spaces import Choice, Integer, Real, StudentSpec
from tests.automl.controlled import NARROW, RECIPE, Scripted, Search, tmp_path_of, trained
from trials.records import Artefacts, Limit, Trial, TrialResult


def test_a_search_tells_every_trial_and_keeps_the_files_of_its_front(tmp_path: Path) -> None:
    search = Search(tmp_path, Scripted())
    assert search.run() == "4 trials were asked for"
    assert search.outcomes == [(number, "trained") for number in range(4)]
    assert [f.trial.number for f in search.listening.finished] == [0, 1, 2, 3]
    front = {member.digest for member in search.standing.contenders()}
    assert {path.name for path in (tmp_path / "students").iterdir()} == front
    for digest in front:
        assert (tmp_path / "students" / digest / "graph").read_bytes() == digest.encode()
    assert search.listening.ticks[-1] == (0, 4)


def test_never_more_in_flight_than_allowed(tmp_path: Path) -> None:
    search = Search(tmp_path, Scripted(), in_flight=3, stop=StopRule(trials=7))
    search.run()
    assert max(running for running, _ in search.listening.ticks) == 2  # After one of three landed.
    assert len(search.outcomes) == 7


def test_ctrl_c_leaves_what_runs_to_the_next_search(tmp_path: Path) -> None:
    stopped = Scripted(stop_after=3)
    search = Search(tmp_path, stopped, in_flight=2, stop=StopRule(trials=6))
    with pytest.raises(KeyboardInterrupt):
        search.run()
    assert stopped.submitted == [0, 1, 2, 3]
    assert search.outcomes == [(0, "trained"), (1, "trained")]

    resumed = Scripted()
    again = Search(tmp_path, resumed, in_flight=2, stop=StopRule(trials=6))
    again.run()
    assert resumed.submitted == [2, 3, 4, 5]  # Under their own numbers; what had ended is not run again.

    whole = Search(tmp_path_of(tmp_path, "whole"), Scripted(), in_flight=2, stop=StopRule(trials=6))
    whole.run()
    assert [f.values for f in again.ledger.finished()] == [f.values for f in whole.ledger.finished()]
    assert again.standing.front().members == whole.standing.front().members


def test_a_search_that_has_ended_goes_on_when_more_trials_are_asked_for(tmp_path: Path) -> None:
    Search(tmp_path, Scripted()).run()
    nothing = Scripted()
    assert Search(tmp_path, nothing).run() == "4 trials were asked for"
    assert nothing.submitted == []
    more = Scripted()
    Search(tmp_path, more, stop=StopRule(trials=6)).run()
    assert more.submitted == [4, 5]


def test_lost_work_is_tried_again_and_then_counts_as_failed(tmp_path: Path) -> None:
    lost = LostWorkError("its process died")
    executor = Scripted(lost, lost, None, lost, lost, lost)
    search = Search(tmp_path, executor, retries=2, stop=StopRule(trials=3))
    search.run()
    assert executor.submitted == [0, 0, 0, 1, 1, 1, 2]
    assert search.outcomes == [(0, "trained"), (1, "failed"), (2, "trained")]
    assert search.ledger.finished()[1].result.error == "its process died (tried 3 times)"


def test_a_trial_that_starts_again_is_told_once_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = LostWorkError("its process died")
    Search(tmp_path, Scripted(lost, lost, lost, None), retries=2, stop=StopRule(trials=2)).run()
    assert [record.getMessage() for record in caplog.records] == [
        "trial 0: its process died; it starts again, attempt 2 of 3",
        "trial 0: its process died; it starts again, attempt 3 of 3",
    ]


def test_what_every_trial_would_fail_with_ends_the_search(tmp_path: Path) -> None:
    message = "the teachers' answers were removed or damaged during the search"
    executor = Scripted(None, WorkFailed(message))
    search = Search(tmp_path, executor)
    with pytest.raises(WorkFailed, match=message):
        search.run()
    assert search.outcomes == [(0, "trained")]
    resumed = Scripted()
    Search(tmp_path, resumed).run()
    assert resumed.submitted == [1, 2, 3]  # The trial was not used up.


def test_a_trial_that_took_too_long_is_not_tried_again(tmp_path: Path) -> None:
    executor = Scripted(OverdueError("it took longer than allowed and was stopped"))
    search = Search(tmp_path, executor, retries=2, stop=StopRule(trials=2))
    search.run()
    assert executor.submitted == [0, 1]
    assert search.outcomes == [(0, "failed"), (1, "trained")]


def test_an_exception_fails_its_trial_alone(tmp_path: Path) -> None:
    search = Search(tmp_path, Scripted(ValueError("no such thing")), stop=StopRule(trials=2))
    search.run()
    assert search.outcomes == [(0, "failed"), (1, "trained")]
    assert search.ledger.finished()[0].result.error == "ValueError: no such thing"


def test_files_that_are_lost_on_their_way_count_as_lost_work(tmp_path: Path) -> None:
    class Losing(Scripted):
        def fetch(self, task: Task, part: int = 0) -> Any:
            if part == 1 and len(self.submitted) == 1:
                raise LostWorkError("its machine went down")
            return super().fetch(task, part)

    executor = Losing()
    search = Search(tmp_path, executor, retries=1, stop=StopRule(trials=1))
    search.run()
    assert executor.submitted == [0, 0]
    assert search.outcomes == [(0, "trained")]
    assert len(list((tmp_path / "students").iterdir())) == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("metric", ["accuracy", "size_bytes", "latency_ms"])
def test_what_is_not_finite_is_a_failure_and_never_on_the_front(tmp_path: Path, metric: str, bad: float) -> None:
    def function(trial: Trial, setting: Any) -> tuple[TrialResult, Artefacts]:
        return trained(trial, setting, **({"latency_ms": 1.0} | ({metric: bad} if trial.number == 1 else {})))

    limits = (Limit(metric="latency_ms", at_most=True, value=2.0),)
    search = Search(tmp_path, Scripted(), function, limits=limits, stop=StopRule(trials=3))
    search.run()
    assert search.outcomes == [(0, "trained"), (1, "failed"), (2, "trained")]
    assert f"gives {metric} that are not finite" in search.ledger.finished()[1].result.error
    assert 1 not in {member.trial for member in search.standing.front().members}


def test_an_objective_that_the_task_did_not_measure_is_told(tmp_path: Path) -> None:
    def function(trial: Trial, setting: Any) -> tuple[TrialResult, Artefacts]:
        result, artefacts = trained(trial, setting)
        (candidate,) = result.candidates
        return replace(result, candidates=(replace(candidate, metrics={"size_bytes": 5.0, "f1": 0.5}),)), artefacts

    search = Search(tmp_path, Scripted(), function, stop=StopRule(trials=1))
    search.run()
    error = search.ledger.finished()[0].result.error
    assert error == "the float32 student has no accuracy; the task measured f1, size_bytes"
    assert not (tmp_path / "students").exists()


def test_an_equal_student_is_not_trained_twice_even_after_a_resume(tmp_path: Path) -> None:
    first = Scripted()
    Search(tmp_path, first, choices=NARROW, stop=StopRule(trials=6)).run()
    second = Scripted()
    search = Search(tmp_path, second, choices=NARROW, stop=StopRule(trials=12))
    search.run()
    finished = search.ledger.finished()
    assert len(finished) == 12
    assert len(first.submitted + second.submitted) == len({f.result.digest for f in finished}) == 3
    for one in finished:
        twin = next(f for f in finished if f.result.digest == one.result.digest)
        assert one.result == replace(twin.result, number=one.trial.number)
    assert {path.name for path in (tmp_path / "students").iterdir()} == {f.result.digest for f in finished}


def test_an_equal_student_in_flight_waits_for_the_result_of_the_first(tmp_path: Path) -> None:
    one = (Choice(name="width", domain=Integer(low=5, high=5)),)
    executor = Scripted()
    search = Search(tmp_path, executor, choices=one, in_flight=3, stop=StopRule(trials=5))
    search.run()
    assert executor.submitted == [0]
    assert search.listening.ticks[0] == (0, 3)  # Two took the other places, and asked for no more.
    finished = search.ledger.finished()
    assert [f.trial.number for f in finished] == [0, 1, 2, 3, 4]
    assert all(f.result == replace(finished[0].result, number=f.trial.number) for f in finished)


def test_a_student_whose_equal_failed_in_flight_is_trained_itself(tmp_path: Path) -> None:
    one = (Choice(name="width", domain=Integer(low=5, high=5)),)
    executor = Scripted(ValueError("chance"))
    search = Search(tmp_path, executor, choices=one, in_flight=3, stop=StopRule(trials=3))
    search.run()
    assert executor.submitted == [0, 1]
    assert search.outcomes == [(0, "failed"), (1, "trained"), (2, "trained")]


def test_a_student_that_waits_for_its_equal_is_left_to_the_next_search(tmp_path: Path) -> None:
    one = (Choice(name="width", domain=Integer(low=5, high=5)),)
    with pytest.raises(KeyboardInterrupt):
        Search(tmp_path, Scripted(stop_after=1), choices=one, in_flight=2, stop=StopRule(trials=2)).run()
    resumed = Scripted()
    search = Search(tmp_path, resumed, choices=one, in_flight=2, stop=StopRule(trials=2))
    search.run()
    assert resumed.submitted == [0]
    assert search.outcomes == [(0, "trained"), (1, "trained")]


def test_a_failed_student_is_tried_again_when_it_is_proposed_again(tmp_path: Path) -> None:
    executor = Scripted(*[ValueError("chance")] * 4)
    search = Search(tmp_path, executor, choices=NARROW, stop=StopRule(trials=12))
    search.run()
    assert executor.submitted[:4] == [0, 1, 2, 3]
    assert len(executor.submitted) == 4 + len({f.result.digest for f in search.ledger.finished()[4:]})


def test_known_students_do_not_keep_running_ones_from_landing(tmp_path: Path) -> None:
    """With time as the only bound, a used-up space would else be proposed from without end."""
    executor = Scripted()
    search = Search(tmp_path, executor, choices=NARROW, in_flight=2, stop=StopRule(trials=10**9, seconds=600))
    assert search.run() == (
        f"the last {MOST_REPEATS} proposals were students that are known; the space seems to hold no others"
    )
    assert len(executor.submitted) == 3
    assert len(search.listening.ticks) >= MOST_REPEATS


def test_latency_of_an_architecture_is_measured_once_even_after_a_resume(tmp_path: Path) -> None:
    choices = (Choice(name="width", domain=Integer(low=1, high=2)), Choice(name="rate", domain=Real(low=0, high=1)))

    def make(proposal: Proposal) -> Trial:
        spec = StudentSpec(space="own", values={"width": proposal.values["width"]})
        recipe = replace(RECIPE, weight_decay=float(proposal.values["rate"]))
        return Trial(number=proposal.number, spec=spec, recipe=recipe, seed=0)

    for trials in (4, 10):
        search = Search(tmp_path, Scripted(), choices=choices, stop=StopRule(trials=trials))
        search.controller._make_trial = make
        search.run()
    latencies: dict[str, set[float]] = {}
    for finished in search.ledger.finished():
        architecture = finished.trial.spec.architecture_digest
        latencies.setdefault(architecture, set()).add(finished.result.candidates[0].latency.median_ms)
    assert [len(found) for found in latencies.values()] == [1, 1]


def test_a_full_disk_ends_the_search_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    class Full(Students):
        def save(self, digest: str, artefacts: Artefacts) -> None:
            if (tmp_path / "students").exists():
                raise OSError(errno.ENOSPC, "No space left on device", str(self.folder(digest)))
            super().save(digest, artefacts)

    search = Search(tmp_path, Scripted(), students=Full(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        search.run()
    assert search.outcomes == [(0, "trained")]
    resumed = Scripted()
    again = Search(tmp_path, resumed)
    again.run()
    assert resumed.submitted == [1, 2, 3]
    assert {p.name for p in (tmp_path / "students").iterdir()} == {m.digest for m in again.standing.contenders()}


def test_a_worker_s_full_disk_does_not_use_trials_up(tmp_path: Path) -> None:
    search = Search(tmp_path, Scripted(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        search.run()
    assert search.outcomes == []


def test_a_database_holds_a_search_and_its_resume(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    with pytest.raises(KeyboardInterrupt):
        Search(tmp_path, Scripted(stop_after=3), storage=url).run()
    resumed = Scripted()
    search = Search(tmp_path, resumed, storage=url)
    search.run()
    assert resumed.submitted == [2, 3]
    assert search.outcomes == [(number, "trained") for number in range(4)]
    assert not (tmp_path / "study.journal").exists()


def test_a_search_stops_when_its_front_no_longer_grows(tmp_path: Path) -> None:
    def same(trial: Trial, setting: Any) -> tuple[TrialResult, Artefacts]:
        return trained(trial, setting, accuracy=0.5, size_bytes=100.0)

    search = Search(tmp_path, Scripted(), same, stop=StopRule(trials=50, stall_trials=3))
    assert search.run() == "the hypervolume grew by 0 in the last 3 trials"
    assert len(search.outcomes) == 4


def test_a_search_whose_time_is_up_lets_running_trials_end(tmp_path: Path) -> None:
    def slow(trial: Trial, setting: Any) -> tuple[TrialResult, Artefacts]:
        time.sleep(0.02)
        return trained(trial, setting)

    search = Search(tmp_path, Scripted(), slow, in_flight=2, stop=StopRule(trials=10**9, seconds=0.2))
    assert search.run().startswith("the time is up")
    assert 2 <= len(search.outcomes) <= 12
    assert search.ledger.running() == []
