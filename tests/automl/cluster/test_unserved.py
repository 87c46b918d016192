"""What is waited for in vain is told once, and only after a while."""

import pytest

from automl.cluster import unserved as module
from automl.cluster.unserved import TELL_AFTER, Unserved

SMALL, LARGE = {"CPU": 2.0}, {"CPU": 8.0, "GPU": 1.0}
WORK = {"CPU": 4.0, "GPU": 0.5}
MESSAGE = (
    "waiting for a machine with 4 CPU and 0.5 GPU: none of the cluster's 2 has that (at most 2 CPU and 0 GPU); "
    "add one, or stop the search and lower resources"
)


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_what_no_machine_has_is_told_once_after_a_while(clock: Clock) -> None:
    waits = Unserved()
    assert waits.news([WORK, WORK], [SMALL, SMALL]) == []
    clock.now = TELL_AFTER - 0.1
    assert waits.news([WORK], [SMALL, SMALL]) == []
    clock.now = TELL_AFTER
    assert waits.news([WORK, WORK], [SMALL, SMALL]) == [MESSAGE]
    clock.now = 10 * TELL_AFTER
    assert waits.news([WORK], [SMALL, SMALL]) == []


def test_it_is_told_again_when_the_machine_that_came_has_gone(clock: Clock) -> None:
    waits = Unserved()
    for machines, told in ([SMALL, SMALL], 1), ([SMALL, LARGE], 0), ([SMALL, SMALL], 1):
        assert waits.news([WORK], machines) == []
        clock.now += TELL_AFTER
        assert len(waits.news([WORK], machines)) == told


def test_what_some_machine_has_may_wait_for_its_turn_in_silence(clock: Clock) -> None:
    waits = Unserved()
    for _ in range(3):
        assert waits.news([WORK, {"CPU": 8.0}, {"CPU": 0.5, "GPU": 0.0}], [SMALL, LARGE]) == []
        clock.now += TELL_AFTER


def test_what_only_two_machines_together_have_is_waited_for(clock: Clock) -> None:
    waits = Unserved()
    machines = [{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}]
    waits.news([WORK], machines)
    clock.now = TELL_AFTER
    assert "none of the cluster's 2 has that (at most 8 CPU and 1 GPU)" in waits.news([WORK], machines)[0]
