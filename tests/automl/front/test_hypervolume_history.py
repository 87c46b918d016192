"""The hypervolume as the search goes on, against the front computed anew each time."""

import time
from dataclasses import replace

import numpy as np
import pytest

from automl.front.hypervolume_history import HypervolumeHistory, hypervolume_history
from automl.front.objectives import Objective
from automl.front.pareto_front import Member, pareto_front
from trials.records import Latency, Limit

OBJECTIVES = tuple(
    Objective(metric=metric, higher_is_better=False, worst=1.0, best=0.0) for metric in ("size_bytes", "macs", "params")
)
LIMITS = (Limit(metric="macs", at_most=True, value=0.9),)


def member(trial, values, *, digest="", provisional=True):
    return Member(
        trial=trial,
        digest=digest or f"{trial:012x}",
        precision="float32",
        metrics=dict(zip(("size_bytes", "macs", "params"), map(float, values), strict=True)),
        latency=Latency(median_ms=1.0, low_ms=1.0, high_ms=1.0, runs=9, provisional=provisional, device="here"),
    )


def batches(number, *, seed):
    rng = np.random.default_rng(seed)
    found = []
    for trial in range(number):
        values = rng.uniform(-0.1, 1.1, 3)
        values[rng.random(3) < 0.03] = np.nan
        # Each third trial is a student that was seen before, measured otherwise.
        digest = f"{trial // 2}" if trial % 3 == 0 else ""
        found.append([] if trial % 5 == 4 else [member(trial, values, digest=digest, provisional=trial % 2 == 0)])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_each_value_is_that_of_the_front_so_far(seed):
    given = batches(40, seed=seed)
    expected = [
        pareto_front([each for batch in given[: count + 1] for each in batch], OBJECTIVES, LIMITS).hypervolume
        for count in range(len(given))
    ]
    assert hypervolume_history(given, OBJECTIVES, LIMITS) == pytest.approx(expected)


def test_it_never_falls_where_students_differ():
    given = [[member(trial, values)] for trial, values in enumerate(np.random.default_rng(0).uniform(0, 1, (60, 3)))]
    assert (np.diff(hypervolume_history(given, OBJECTIVES, [])) >= 0).all()


def test_a_lone_measurement_takes_the_place_of_a_hasty_one_though_it_is_worse():
    history = HypervolumeHistory(OBJECTIVES[:1], [])
    hasty = member(0, (0.2, 0, 0))
    assert history.add([hasty]) == pytest.approx(0.8)
    slower = replace(hasty, metrics={"size_bytes": 0.5}, latency=replace(hasty.latency, provisional=False))
    assert history.add([slower]) == pytest.approx(0.5)


def test_no_batches_give_no_values_and_empty_ones_give_zeros():
    assert hypervolume_history([], OBJECTIVES, []) == []
    assert hypervolume_history([[], []], OBJECTIVES, []) == [0.0, 0.0]


def test_a_thousand_trials_take_a_moment():
    rng = np.random.default_rng(0)
    given = [[member(trial, rng.uniform(0, 1, 3))] for trial in range(1000)]
    start = time.process_time()
    values = hypervolume_history(given, OBJECTIVES, [])
    assert len(values) == 1000
    assert time.process_time() - start < 2  # takes 0.1 s; computing each front anew takes many times that
