"""Why a front is empty is told with how near students came and what to do."""

from collections.abc import Callable
from dataclasses import replace

from automl.front.empty_front import why_empty
from automl.front.pareto_front import ParetoFront
from automl.run import Run
from trials.records import Limit, Outcome

ACCURATE = Limit(metric="accuracy", at_most=False, value=0.999)


def emptied(run: Run, *limits: Limit) -> Run:
    """Give the run with other limits, which nobody keeps."""
    front = ParetoFront(objectives=run.front.objectives, members=(), hypervolume=0.0)
    return replace(run, front=front, limits=limits)


def told(run: Run) -> str:
    return str(why_empty(run))


def test_the_nearest_student_is_told_of_each_limit_that_none_kept(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=6)
    tried = {(f.trial.number, c.metrics["accuracy"]) for f in run.trials for c in f.result.candidates}
    number, highest = max(tried, key=lambda each: each[1])
    assert f"accuracy >= 0.999: the nearest student has accuracy {highest:.4g} (trial {number})" in (
        told(emptied(run, ACCURATE))
    )


def test_of_several_limits_those_count_that_keep_the_others(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=6)
    tried = [c.metrics for f in run.trials for c in f.result.candidates]
    smallest = min(tried, key=lambda metrics: metrics["size_bytes"])
    best = max(tried, key=lambda metrics: metrics["accuracy"])
    small = Limit(metric="size_bytes", at_most=True, value=smallest["size_bytes"])
    accurate = Limit(metric="accuracy", at_most=False, value=best["accuracy"])
    text = told(emptied(run, small, accurate))
    assert (
        f"{accurate}: the nearest student of those that keep the others has accuracy {smallest['accuracy']:.4g}" in text
    )
    assert f"{small}: the nearest student of those that keep the others has size_bytes {best['size_bytes']:.0f}" in text


def test_what_to_do_depends_on_whether_anything_was_trained(make_run: Callable[..., Run]) -> None:
    assert "loosen limits in the config and type `automl search CONFIG --resume`" in (
        told(emptied(make_run(trials=6), ACCURATE))
    )
    tiny = Limit(metric="size_bytes", at_most=True, value=1.0)
    refused = make_run(trials=3, outcomes=dict.fromkeys(range(3), Outcome.INFEASIBLE), limits=(tiny,))
    text = told(emptied(refused, tiny))
    assert "0 students trained\n  size_bytes <= 1: the nearest student has size_bytes 1." in text
    assert "every student was refused before training" in text


def test_failures_are_told_by_the_last_one(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=2, outcomes=dict.fromkeys(range(2), Outcome.FAILED))
    assert told(run) == "every trial failed; the last one with: RuntimeError: loss is not a number at epoch 3"
    assert told(make_run(trials=0)) == "no trial has ended yet"


def test_students_that_kept_the_limits_beside_other_work_alone_are_told(make_run: Callable[..., Run]) -> None:
    run = make_run(trials=2)
    loose = Limit(metric="size_bytes", at_most=True, value=1e9)
    assert told(emptied(run, loose)) == (
        "students that kept the limits beside other work (trials 0, 1) do not alone, or their files are gone"
    )
