"""Whose place on the front rests on a latency that was not really measured."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.front.latency_ties import latency_ties
from automl.front.objectives import Objective
from automl.front.pareto_front import Member, ParetoFront, pareto_front
from trials.records import Latency

ACCURACY = Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0)
LATENCY = Objective(metric="latency_ms", higher_is_better=False, worst=20.0, best=1.0, log=True)
SIZE = Objective(metric="size_bytes", higher_is_better=False, worst=1000.0, best=1.0, log=True)


def member(
    trial: int, accuracy: float, latency: float, *, half: float = 0.5, size: float = 10.0, provisional: bool = False
) -> Member:
    return Member(
        trial=trial,
        digest=f"{trial:012x}",
        precision="float32",
        metrics={"accuracy": accuracy, "latency_ms": latency, "size_bytes": size},
        latency=Latency(
            median_ms=latency,
            low_ms=latency - half,
            high_ms=latency + half,
            rounds=9,
            runs=900,
            provisional=provisional,
            device="here",
        ),
    )


def front_of(*members: Member, objectives: tuple[Objective, ...] = (ACCURACY, LATENCY)) -> ParetoFront:
    return pareto_front(members, objectives, ())


def numbers(front: ParetoFront) -> list[tuple[int, int]]:
    return [(one.trial, two.trial) for one, two in latency_ties(front)]


def test_the_less_accurate_of_two_that_take_equally_long_is_tied_with_the_other() -> None:
    front = front_of(member(0, 0.9, 5.0), member(1, 0.8, 4.2), member(2, 0.7, 2.0))
    assert [m.trial for m in front.members] == [0, 1, 2]
    assert numbers(front) == [(1, 0)]


def test_intervals_that_touch_overlap_and_those_that_do_not_are_told_apart() -> None:
    assert numbers(front_of(member(0, 0.9, 5.0), member(1, 0.8, 4.0))) == [(1, 0)]
    assert numbers(front_of(member(0, 0.9, 5.0), member(1, 0.8, 3.9))) == []


def test_what_is_better_in_anything_else_is_tied_with_nothing() -> None:
    three = (ACCURACY, LATENCY, SIZE)
    assert numbers(front_of(member(0, 0.9, 5.0), member(1, 0.8, 4.9, size=9.0), objectives=three)) == []
    assert numbers(front_of(member(0, 0.9, 5.0), member(1, 0.8, 4.9, size=11.0), objectives=three)) == [(1, 0)]


def test_ties_in_a_row_each_name_the_best_that_they_overlap() -> None:
    # 2 overlaps 1, 1 overlaps 0, and 2 does not overlap 0: no order, and nobody is taken off the front.
    front = front_of(member(0, 0.9, 6.0), member(1, 0.8, 5.2), member(2, 0.7, 4.4))
    assert len(front.members) == 3
    assert numbers(front) == [(1, 0), (2, 1)]


@pytest.mark.parametrize("which", [0, 1])
def test_provisional_latencies_tie_with_nothing(which: int) -> None:
    members = [member(n, 0.9 - n / 10, 5.0 - n / 10, provisional=n == which) for n in range(2)]
    assert numbers(front_of(*members)) == []


def test_without_latency_as_an_objective_nothing_is_tied() -> None:
    assert numbers(front_of(member(0, 0.9, 5.0), member(1, 0.8, 5.0, size=9.0), objectives=(ACCURACY, SIZE))) == []
    assert numbers(front_of()) == []


DRAWN = st.lists(
    st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.8]), st.floats(2, 9), st.floats(0, 1), st.sampled_from([5.0, 6.0])),
    max_size=8,
)


@given(DRAWN)
def test_only_a_tie_can_leave_the_front_for_a_latency_within_the_intervals(drawn: list[Any]) -> None:
    members = [member(n, a, latency, half=half, size=size) for n, (a, latency, half, size) in enumerate(drawn)]
    front = front_of(*members, objectives=(ACCURACY, LATENCY, SIZE))
    tied = {one.trial for one, _ in latency_ties(front)}
    for one in front.members:
        # The worst for one member: its own latency as high as it can be, those of all others as low as they can be.
        worst = [
            replace(m, metrics={**m.metrics, "latency_ms": m.latency.high_ms if m is one else m.latency.low_ms})
            for m in front.members
        ]
        stays = one.trial in {m.trial for m in front_of(*worst, objectives=(ACCURACY, LATENCY, SIZE)).members}
        assert stays or one.trial in tied
