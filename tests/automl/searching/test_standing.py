"""What a search has found so far, whatever order its trials end in."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from automl.front.pareto_front import Member, contenders
from automl.run import FinalMeasurement, FinishedTrial, Run
from automl.searching.contenders import attainable
from automl.searching.standing import Standing, members_of
from trials.records import LATENCY_MARGIN, Latency, Limit, Outcome, TrialResult

LIMITS = (Limit(metric="size_bytes", at_most=True, value=400_000),)


def standing_of(run: Run) -> Standing:
    standing = Standing(run.front.objectives, run.limits)
    for finished in run.trials:
        standing.add(finished)
    return standing


def changed(finished: FinishedTrial, **metrics: float) -> TrialResult:
    first, *others = finished.result.candidates
    return replace(finished.result, candidates=(replace(first, metrics={**first.metrics, **metrics}), *others))


def test_the_front_counts_and_history_are_those_of_all_trials(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=40, finished=False)
    standing = standing_of(run)
    assert standing.front() == run.front
    assert standing.hypervolumes == pytest.approx(run.hypervolumes)
    assert [standing.count(outcome) for outcome in Outcome] == [run.count(outcome) for outcome in Outcome]


def test_contenders_kept_step_by_step_are_those_of_all_members_at_once(make_run: Callable[..., Run]) -> None:
    for seed in range(5):
        run = make_run(trials=40, finished=False, seed=seed)
        standing = standing_of(run)
        members = [member for finished in run.trials for member in members_of(finished)]
        at_once = contenders(members, standing.objectives, standing.limits, latency_margin=LATENCY_MARGIN)
        assert standing.contenders() == at_once
        assert {m.digest for m in standing.front().members} <= {m.digest for m in at_once}


def test_only_trained_students_are_members(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=12)
    for finished in run.trials:
        trained = finished.result.outcome is Outcome.TRAINED
        assert len(members_of(finished)) == (2 if trained else 0)


def measured(member: Member, *, median_ms: float) -> FinalMeasurement:
    alone = Latency(median_ms=median_ms, low_ms=median_ms, high_ms=median_ms, runs=9, provisional=False, device="alone")
    return FinalMeasurement(
        digest=member.digest, precision=member.precision, latency=alone, metrics={"test_accuracy": 0.5}
    )


def test_what_was_measured_alone_takes_the_place_of_what_was_provisional(make_run: Callable[..., Run]) -> None:
    standing = standing_of(make_run(trials=20, finished=False, limits=()))
    slow = standing.front().members[0]
    standing.settle(measured(slow, median_ms=1e6))
    (member,) = [m for m in standing.front().members if (m.digest, m.precision) == (slow.digest, slow.precision)]
    assert member.metrics["latency_ms"] == 1e6
    assert member.metrics["test_accuracy"] == 0.5
    assert not member.latency.provisional
    assert standing.front(settled=True).members == (member,)
    assert all((m.digest, m.precision) != (slow.digest, slow.precision) for m in standing.unsettled())


def test_one_that_turns_out_slow_lets_others_contend_again(make_run: Callable[..., Run]) -> None:
    standing = standing_of(make_run(trials=20, finished=False, limits=()))
    before = {(m.digest, m.precision) for m in standing.contenders()}
    for member in list(standing.unsettled()):
        standing.settle(measured(member, median_ms=1e6))
    assert {(m.digest, m.precision) for m in standing.contenders()} - before
    assert standing.unsettled()
    assert all(not m.latency.provisional for m in standing.front(settled=True).members)


def test_best_values_are_those_of_the_front(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=30, finished=False)
    best = standing_of(run).best()
    metrics = [member.metrics for member in run.front.members]
    assert best["accuracy"] == max(m["accuracy"] for m in metrics)
    assert best["size_bytes"] == min(m["size_bytes"] for m in metrics)
    assert standing_of(make_run(trials=0)).best() == {}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_number_no_member(make_run: Callable[..., Run], bad: float) -> None:
    run = make_run(trials=6, finished=False, limits=())
    standing = Standing(run.front.objectives, ())
    for finished in run.trials:
        spoilt = tuple(replace(c, metrics={**c.metrics, "accuracy": bad}) for c in finished.result.candidates)
        result = replace(finished.result, candidates=spoilt)
        assert "gives accuracy that are not finite" in standing.fault(result)
        standing.add(replace(finished, result=result))  # Even where nobody looked at the fault.
    assert standing.front().members == ()
    assert standing.hypervolumes == [0.0] * 6


@pytest.mark.parametrize(
    ("outcome", "metrics", "missing", "fault"),
    [
        (Outcome.TRAINED, {}, None, ""),
        (Outcome.TRAINED, {"other": math.nan}, None, ""),
        (Outcome.TRAINED, {"size_bytes": math.inf}, None, r"gives size_bytes that are not finite"),
        (Outcome.TRAINED, {}, "accuracy", "has no accuracy; the task measured "),
        (Outcome.INFEASIBLE, {}, "accuracy", ""),
        (Outcome.INFEASIBLE, {"latency_ms": math.nan}, "accuracy", "gives latency_ms that are not finite"),
    ],
)
def test_faults(
    make_run: Callable[..., Run], outcome: Outcome, metrics: dict[str, float], missing: str | None, fault: str
) -> None:
    run = make_run(trials=1, outcomes={0: Outcome.TRAINED})
    result: Any = replace(changed(run.trials[0], **metrics), outcome=outcome)
    if missing is not None:
        stripped = tuple(
            replace(c, metrics={k: v for k, v in c.metrics.items() if k != missing}) for c in result.candidates
        )
        result = replace(result, candidates=stripped)
    found = Standing(run.front.objectives, run.limits).fault(result)
    assert fault in found
    assert bool(found) == bool(fault)


def test_the_nearest_contend_where_no_student_keeps_the_limits(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=20, finished=False, limits=LIMITS)
    strict = Limit(metric="accuracy", at_most=False, value=2.0)
    standing = Standing(run.front.objectives, (*run.limits, strict))
    for finished in run.trials:
        standing.add(finished)
    assert standing.front().members == ()
    assert standing.hypervolumes == [0.0] * 20
    assert standing.contenders() == standing_of(run).contenders()
    assert standing.worth_keeping() == {member.digest for member in standing.contenders()}


def test_files_are_kept_of_those_that_a_loosened_limit_on_a_metric_of_the_task_would_bring_back(
    make_run: Callable[..., Run],
) -> None:
    run = make_run(trials=20, finished=False, limits=LIMITS)
    best = run.front.members[0].metrics["accuracy"]
    standing = Standing(run.front.objectives, (*run.limits, Limit(metric="accuracy", at_most=False, value=best)))
    for finished in run.trials:
        standing.add(finished)
    assert {member.metrics["accuracy"] for member in standing.contenders()} == {best}
    assert standing.worth_keeping() == standing_of(run).worth_keeping() > {m.digest for m in standing.contenders()}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((), ()),
        (("size_bytes", 1e9), ("size_bytes",)),
        (("size_bytes", 1.0), ()),
        (("size_bytes", 1.0, "params", 1e9), ("params",)),
    ],
)
def test_limits_that_nobody_keeps_are_set_aside(
    make_run: Callable[..., Run], limits: tuple[Any, ...], expected: tuple[str, ...]
) -> None:
    members = [member for finished in make_run(trials=4).trials for member in members_of(finished)]
    given = [Limit(metric=m, at_most=True, value=v) for m, v in zip(limits[::2], limits[1::2], strict=True)]
    assert tuple(limit.metric for limit in attainable(members, given)) == expected
    assert attainable([], given) == ()


def test_of_limits_that_exclude_each_other_the_first_one_counts(make_run: Callable[..., Run]) -> None:
    members = [member for finished in make_run(trials=8).trials for member in members_of(finished)]
    sizes = sorted(member.metrics["size_bytes"] for member in members)
    small = Limit(metric="size_bytes", at_most=True, value=sizes[0])
    large = Limit(metric="size_bytes", at_most=False, value=sizes[-1])
    assert attainable(members, [small, large]) == (small,)
    assert attainable(members, [large, small]) == (large,)
