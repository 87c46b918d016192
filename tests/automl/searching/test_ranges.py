"""What a search can reach, from the ends of its space."""

from pathlib import Path
from typing import Any

import pytest

from automl.config import load_config
from automl.preparation.prepare import Prepared, prepare
from automl.searching.ranges import broken_limits, objectives_of, probes
from search_spaces import cost_of
from trials.records import LATENCY_MARGIN, Candidate, Latency, Limit

LATENCY = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=10, provisional=True, device="none")


@pytest.fixture(scope="module")
def prepared(small_config: Path) -> Prepared:
    return prepare(load_config(small_config))


def measured(**values: float) -> tuple[Candidate, ...]:
    return (Candidate(precision="float32", metrics=values, latency=LATENCY),)


def at_most(metric: str, value: float) -> Limit:
    return Limit(metric=metric, at_most=True, value=value)


def with_limits(prepared: Prepared, objectives: tuple[str, ...], *limits: Limit) -> Any:
    class Narrowed:
        task = prepared.task
        config = prepared.config.model_copy(update={"objectives": objectives, "limits": limits})

    return Narrowed()


def test_probes_are_the_ends_of_the_space_and_the_same_each_time(prepared: Prepared) -> None:
    found = probes(prepared)
    signature_of = prepared.setting.signature_of
    params = [cost_of(prepared.space, trial.spec, signature_of(trial.spec)).params for trial in found]
    widths = [trial.spec.values["layer1.width"] for trial in found]
    assert sorted(widths) == [16, 64]
    assert params == sorted(params)
    assert found == probes(prepared)


def test_a_cost_runs_from_a_little_below_the_lowest_measured_to_the_limit(prepared: Prepared) -> None:
    costs = [measured(size_bytes=2000.0), measured(size_bytes=90_000.0)]
    (free,) = objectives_of(with_limits(prepared, ("size_bytes",)), costs)
    lowest = pytest.approx(2000.0 * (1 - LATENCY_MARGIN))
    assert (free.best, free.worst, free.log, free.higher_is_better) == (lowest, 90_000.0, True, False)
    (limited,) = objectives_of(with_limits(prepared, ("size_bytes",), at_most("size_bytes", 50_000)), costs)
    assert (limited.best, limited.worst) == (lowest, 50_000)


@pytest.mark.parametrize("limits", [(), (at_most("size_bytes", 2000),), (at_most("size_bytes", 1500),)])
def test_a_range_is_never_empty(prepared: Prepared, limits: tuple[Limit, ...]) -> None:
    (objective,) = objectives_of(with_limits(prepared, ("size_bytes",), *limits), [measured(size_bytes=2000.0)])
    assert 0 < objective.best < objective.worst


def test_a_task_s_metric_runs_from_chance_to_the_best(prepared: Prepared) -> None:
    (objective,) = objectives_of(with_limits(prepared, ("accuracy",)), [])
    assert (objective.worst, objective.best, objective.log) == (pytest.approx(0.1), 1.0, False)


def test_limits_that_no_end_keeps_are_told_with_the_nearest_value() -> None:
    costs = [measured(size_bytes=2000.0, params=500.0), measured(size_bytes=90_000.0, params=20_000.0)]
    limits = (at_most("size_bytes", 1000), at_most("params", 500), Limit(metric="params", at_most=False, value=30_000))
    assert broken_limits(limits, costs) == [
        "size_bytes <= 1000: the nearest student has size_bytes 2000",
        "params >= 30000: the nearest student has params 20000",
    ]
    assert broken_limits((Limit(metric="accuracy", at_most=False, value=2.0),), costs) == []  # Nobody knows yet.


def test_a_latency_measured_beside_other_work_gets_the_benefit_of_the_doubt() -> None:
    costs = [measured(latency_ms=1.0), measured(latency_ms=5.0)]
    assert broken_limits((at_most("latency_ms", 0.61),), costs) == []  # It may come out 40 % too high.
    assert broken_limits((at_most("latency_ms", 0.59),), costs) == [
        "latency_ms <= 0.59: the nearest student has latency_ms 1"
    ]
