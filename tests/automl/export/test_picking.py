from dataclasses import replace

import pytest

from automl.errors import UserError
from automl.export.picking import names, pick_member
from automl.front.pareto_front import knee
from trials.records import Limit


@pytest.fixture
def run(make_run):
    return make_run(trials=12)


def test_knee_and_best_are_picked(run):
    assert pick_member(run, "knee") == knee(run.front)
    best = pick_member(run, "best")
    assert best.metrics["accuracy"] == max(member.metrics["accuracy"] for member in run.front.members)


def test_each_member_is_picked_by_the_name_that_it_is_given(run):
    for name, member in zip(
        names(run.front.members), sorted(run.front.members, key=lambda m: (m.trial, m.precision)), strict=True
    ):
        assert pick_member(run, name) == member


def test_of_several_precisions_of_a_trial_the_best_in_the_first_objective_is_taken(run):
    trials = [member.trial for member in run.front.members]
    double = next(trial for trial in trials if trials.count(trial) == 2)
    picked = pick_member(run, str(double))
    other = next(m for m in run.front.members if m.trial == double and m != picked)
    assert picked.metrics["accuracy"] >= other.metrics["accuracy"]


def test_limits_narrow_the_front_before_anything_is_picked(run):
    smallest = min(run.front.members, key=lambda m: m.metrics["size_bytes"])
    bound = smallest.metrics["size_bytes"]
    assert pick_member(run, "best", [f"size_bytes <= {bound}"]) == smallest
    assert pick_member(run, "best", [Limit(metric="size_bytes", at_most=True, value=bound)]) == smallest


def test_where_nothing_is_left_the_nearest_value_is_told(run):
    fastest = min(run.front.members, key=lambda m: m.metrics["latency_ms"])
    with pytest.raises(UserError) as raised:
        pick_member(run, "knee", ["latency_ms <= 0.000001"])
    assert raised.value.place == "--where"
    assert f"{fastest.trial}:{fastest.precision}" in str(raised.value)
    assert f"{fastest.metrics['latency_ms']:.4g}" in str(raised.value)


def test_nearest_values_are_those_of_members_that_keep_the_other_limits(run):
    best = pick_member(run, "best")
    accuracy = best.metrics["accuracy"]
    with pytest.raises(UserError, match="of those that keep the others") as raised:
        pick_member(run, "knee", [f"accuracy >= {accuracy}", "size_bytes <= 1"])
    assert f"{best.metrics['size_bytes']:.4g}" in str(raised.value)


@pytest.mark.parametrize(
    ("pick", "limits", "message"),
    [
        ("elbow", (), "expected knee, best, TRIAL or TRIAL:PRECISION, got 'elbow'; members of the front are"),
        ("0:int4", (), "unknown precision 'int4'; precisions are"),
        ("77", (), "the run has no finished trial 77; members are"),
        ("6", (), "trial 6 is not on the front"),  # refused by the gate
        ("knee", ("speed <= 2",), "no member of the front has the metric 'speed'; there are"),
        ("knee", ("size_bytes < 2",), "write <= for <"),
        (
            "knee",
            ("sizes<10",),
            "no member of the front has the metric 'sizes', did you mean 'size_bytes'? there are ",
        ),
        ("knee", ("latency_ms=2",), "a limit reads 'latency_ms <= 2' or 'accuracy >= 0.9', got "),
        ("knee", ("<=2",), "a limit reads 'latency_ms <= 2' or 'accuracy >= 0.9', got "),
        ("best", ("test_accuracy>=0.5",), "validation chooses and test reports, so name accuracy"),
    ],
)
def test_a_wrong_pick_is_answered_with_what_there_is(run, pick, limits, message):
    with pytest.raises(UserError) as raised:
        pick_member(run, pick, limits)
    assert message in str(raised.value)


def test_a_member_that_further_limits_exclude_is_not_picked_by_number(run):
    best = pick_member(run, "best")
    below = best.metrics["size_bytes"] - 1
    with pytest.raises(UserError, match="does not keep what --where asks for; members are"):
        pick_member(run, f"{best.trial}:{best.precision}", [f"size_bytes <= {below}"])


def test_a_precision_that_is_not_on_the_front_is_told_from_a_trial_that_is_not(run):
    trials = [member.trial for member in run.front.members]
    single = next(member for member in run.front.members if trials.count(member.trial) == 1)
    missing = "int8" if single.precision == "float32" else "float32"
    with pytest.raises(UserError, match=f"stands on the front in {single.precision} only"):
        pick_member(run, f"{single.trial}:{missing}")


def test_an_empty_front_has_no_member(run):
    with pytest.raises(UserError, match="its front is empty"):
        pick_member(replace(run, front=replace(run.front, members=())), "knee")
