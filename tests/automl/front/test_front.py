"""The front against brute force, and what happens to ties, duplicates, NaN and limits."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.front.objectives import Objective, to_losses
from automl.front.pareto_front import (
    Member,
    ParetoFront,
    best,
    contenders,
    hypervolume,
    keeps,
    knee,
    pareto_front,
    where,
)
from trials.records import Latency, Limit

ACCURACY = Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=8.0)
LATENCY = Objective(metric="latency_ms", higher_is_better=False, worst=8.0, best=1.0, log=True)
SIZE = Objective(metric="size_bytes", higher_is_better=False, worst=8.0, best=0.5)
OBJECTIVES = (ACCURACY, LATENCY, SIZE)


def member(trial, accuracy=4.0, latency=4.0, size=4.0, *, digest="", precision="float32", provisional=False):
    return Member(
        trial=trial,
        digest=digest or f"{trial:012x}",
        precision=precision,
        metrics={"accuracy": accuracy, "latency_ms": latency, "size_bytes": size},
        latency=Latency(
            median_ms=latency, low_ms=latency, high_ms=latency, runs=100, provisional=provisional, device="here"
        ),
    )


# Few values, so that ties are common; the last three must never reach the front.
VALUES = st.sampled_from([1.0, 2.0, 3.0, 4.0, 6.0, math.nan, math.inf, -math.inf])
MEMBERS = st.lists(
    st.builds(
        member,
        st.integers(0, 30),
        VALUES,
        VALUES,
        VALUES,
        digest=st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"]),
        precision=st.sampled_from(["float32", "int8"]),
        provisional=st.booleans(),
    ),
    max_size=14,
)
CHOICES = st.sampled_from([subset for size in (1, 2, 3) for subset in itertools.combinations(OBJECTIVES, size)])
LIMITS = st.lists(
    st.builds(
        Limit, metric=st.sampled_from(["accuracy", "latency_ms", "size_bytes"]), at_most=st.booleans(), value=VALUES
    ),
    max_size=2,
).filter(lambda limits: all(math.isfinite(limit.value) for limit in limits))


def distinct(members):
    """Keep each student in each precision once, as the docstring of ``pareto_front`` says, the slow way."""
    groups = {}
    for each in members:
        groups.setdefault((each.digest, each.precision), []).append(each)
    return [
        min(group, key=lambda each: (each.latency.provisional, each.trial, each.latency.median_ms))
        for group in groups.values()
    ]


def natural(each, objectives):
    """Values with signs turned by hand, so that less is better."""
    return tuple(-each.metrics[o.metric] if o.higher_is_better else each.metrics[o.metric] for o in objectives)


def brute_force(members, objectives, limits):
    """Compare every pair."""
    allowed = [
        each
        for each in distinct(members)
        if all(
            each.metrics[limit.metric] <= limit.value if limit.at_most else each.metrics[limit.metric] >= limit.value
            for limit in limits
        )
        and all(math.isfinite(value) for value in natural(each, objectives))
    ]

    def beaten(one, other):
        ours, theirs = natural(one, objectives), natural(other, objectives)
        return all(t <= o for t, o in zip(theirs, ours, strict=True)) and theirs != ours

    best_values = {natural(each, objectives) for each in allowed if not any(beaten(each, other) for other in allowed)}
    # Of equal values the lowest trial, within it the smallest file.
    order = sorted(allowed, key=lambda each: (each.trial, each.metrics["size_bytes"], each.precision, each.digest))
    return {next(id(each) for each in order if natural(each, objectives) == values) for values in best_values}


def ordered(members):
    """Leave out what only NaN would put in order; that it never reaches the front is another test's."""
    return [
        each for each in members if not any(math.isnan(each.metrics[name]) for name in ("latency_ms", "size_bytes"))
    ]


@settings(max_examples=120, deadline=None)
@given(MEMBERS, CHOICES, LIMITS)
def test_the_front_is_what_comparing_every_pair_finds(members, objectives, limits):
    members = ordered(members)
    front = pareto_front(members, objectives, limits)
    assert {id(each) for each in front.members} == brute_force(members, objectives, limits)


@settings(max_examples=80, deadline=None)
@given(MEMBERS, CHOICES, LIMITS)
def test_whatever_comes_in_the_front_holds_numbers_within_limits_best_first(members, objectives, limits):
    front = pareto_front(members, objectives, limits)
    losses = to_losses([each.metrics for each in front.members], objectives)
    assert np.isfinite(losses).all()
    assert (np.diff(losses[:, 0]) >= 0).all()
    assert all(keeps(each.metrics, limits) for each in front.members)
    assert 0 <= front.hypervolume <= 1


@settings(max_examples=50, deadline=None)
@given(MEMBERS, CHOICES, LIMITS, st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_matter(members, objectives, limits, random):
    members = ordered(members)
    shuffled = list(members)
    random.shuffle(shuffled)
    assert pareto_front(shuffled, objectives, limits) == pareto_front(members, objectives, limits)


@settings(max_examples=50, deadline=None)
@given(MEMBERS, CHOICES, LIMITS)
def test_a_front_is_its_own_front(members, objectives, limits):
    front = pareto_front(members, objectives, limits)
    assert pareto_front(front.members, objectives, limits) == front


def test_nothing_makes_an_empty_front():
    assert pareto_front([], OBJECTIVES, []) == ParetoFront(objectives=OBJECTIVES, members=(), hypervolume=0.0)


def test_a_first_member_that_is_not_a_number_is_not_the_front():
    front = pareto_front([member(0, accuracy=math.nan), member(1, accuracy=1.0)], OBJECTIVES, [])
    assert [each.trial for each in front.members] == [1]


def test_a_member_without_a_metric_that_is_an_objective_or_limited_is_left_out():
    poor = replace(member(0), metrics={"accuracy": 8.0})
    assert not pareto_front([poor], OBJECTIVES, []).members
    assert not pareto_front([poor], [ACCURACY], [Limit(metric="params", at_most=True, value=1.0)]).members
    assert pareto_front([poor], [ACCURACY], []).members == (poor,)


def test_one_objective_leaves_one_member():
    front = pareto_front([member(3, 2.0), member(2, 6.0), member(1, 6.0)], [ACCURACY], [])
    assert [each.trial for each in front.members] == [1]
    assert front.hypervolume == pytest.approx(6 / 8)


def test_of_equal_students_the_lowest_trial_stays():
    assert [each.trial for each in pareto_front(map(member, (5, 2, 9)), OBJECTIVES, []).members] == [2]


def test_of_equal_precisions_the_smaller_file_stays():
    large, small = member(1, size=6.0, digest="a"), member(1, size=2.0, digest="a", precision="int8")
    assert pareto_front([large, small], [ACCURACY, LATENCY], []).members == (small,)


def test_the_same_student_counts_once_and_as_it_was_measured_alone():
    hasty = member(1, latency=2.0, digest="a", provisional=True)
    alone = member(4, latency=3.0, digest="a")
    assert pareto_front([hasty, alone], OBJECTIVES, []).members == (alone,)


def test_a_limit_is_kept_by_what_stands_on_it():
    limits = [Limit(metric="latency_ms", at_most=True, value=4.0), Limit(metric="accuracy", at_most=False, value=4.0)]
    assert len(pareto_front([member(0)], OBJECTIVES, limits).members) == 1
    assert not pareto_front([member(0, latency=4.001)], OBJECTIVES, limits).members
    assert not pareto_front([member(0, accuracy=3.999)], OBJECTIVES, limits).members


def test_the_hypervolume_is_the_area_that_one_counts_by_hand():
    # Losses (0.25, 0.5) and (0.5, 0.25): two boxes of .75 x .5 and .5 x .75 that share .5 x .5.
    losses = np.array([[0.25, 0.5], [0.5, 0.25]])
    assert hypervolume(losses) == pytest.approx(0.375 + 0.375 - 0.25)


def test_what_is_worse_than_the_reference_adds_nothing_and_better_than_the_best_counts_as_best():
    assert hypervolume(np.array([[0.1, 1.5]])) == 0
    assert hypervolume(np.array([[-3.0, 0.5]])) == pytest.approx(0.5)
    assert hypervolume(np.array([[-1.0, -1.0, -1.0]])) == 1
    assert hypervolume(np.zeros((0, 3))) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([-0.2, 0.0, 0.25, 0.5, 0.75, 1.0, 1.2])] * 3), max_size=8))
def test_the_hypervolume_is_the_share_of_cells_that_are_dominated(points):
    """All coordinates lie on a grid of quarters, so that counting its 64 cells is exact."""
    centres = itertools.product([0.125, 0.375, 0.625, 0.875], repeat=3)
    covered = sum(
        any(all(p <= c for p, c in zip(point, centre, strict=True)) for point in points) for centre in centres
    )
    assert hypervolume(np.array(points).reshape(-1, 3)) == pytest.approx(covered / 64)


def test_contenders_are_those_that_a_lower_latency_would_bring_to_the_front():
    leader = member(0, accuracy=4.0, latency=2.0, provisional=True)
    near = member(1, accuracy=4.0, latency=3.0, provisional=True)
    far = member(2, accuracy=4.0, latency=4.0, provisional=True)
    found = contenders([leader, near, far], OBJECTIVES, [], latency_margin=0.4)
    assert [each.trial for each in found] == [0, 1]
    assert found[1] is near  # as it was given, not as it may turn out


def test_a_latency_that_was_measured_alone_is_taken_as_it_is():
    leader, near = member(0, latency=2.0), member(1, latency=3.0)
    assert contenders([leader, near], OBJECTIVES, [], latency_margin=0.4) == [leader]


def test_a_limit_on_latency_is_judged_with_the_margin():
    limits = [Limit(metric="latency_ms", at_most=True, value=2.0)]
    members = [member(0, latency=3.0, provisional=True), member(1, latency=4.0, provisional=True)]
    assert [each.trial for each in contenders(members, OBJECTIVES, limits, latency_margin=0.4)] == [0]


def test_what_keeps_a_limit_only_by_the_margin_beats_nobody():
    limits = [Limit(metric="latency_ms", at_most=True, value=2.0)]
    hopeful = member(0, accuracy=6.0, latency=3.0, size=1.0, provisional=True)
    sure = member(1, accuracy=4.0, latency=1.9, size=4.0)
    assert contenders([hopeful, sure], OBJECTIVES, limits, latency_margin=0.4) == [hopeful, sure]


@pytest.mark.parametrize("margin", [-0.1, 1.0, math.nan])
def test_a_margin_that_is_no_share_is_refused(margin):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        contenders([], OBJECTIVES, [], latency_margin=margin)


@settings(max_examples=80, deadline=None)
@given(MEMBERS, CHOICES, LIMITS)
def test_without_provisional_latencies_contenders_are_the_front(members, objectives, limits):
    alone = [replace(each, latency=replace(each.latency, provisional=False)) for each in ordered(members)]
    found = contenders(alone, objectives, limits, latency_margin=0.4)
    assert {id(each) for each in found} == {id(each) for each in pareto_front(alone, objectives, limits).members}


@settings(max_examples=80, deadline=None)
@given(MEMBERS, CHOICES, LIMITS, st.data())
def test_however_the_final_latencies_fall_the_front_is_among_the_contenders(members, objectives, limits, data):
    """The property that decides which artefacts may be thrown away."""
    members = distinct(ordered(members))
    limits = [limit for limit in limits if limit.metric != "latency_ms" or limit.at_most]
    kept = {(each.digest, each.precision) for each in contenders(members, objectives, limits, latency_margin=0.4)}
    final = []
    for each in members:
        share = data.draw(st.sampled_from([0.6, 0.75, 1.0])) if each.latency.provisional else 1.0
        latency = each.metrics["latency_ms"] * share
        final.append(replace(each, metrics={**each.metrics, "latency_ms": latency}))
    assert {(each.digest, each.precision) for each in pareto_front(final, objectives, limits).members} <= kept


def test_where_narrows_the_front_and_measures_it_anew():
    front = pareto_front([member(0, accuracy=6.0, size=6.0), member(1, accuracy=2.0, size=2.0)], [ACCURACY, SIZE], [])
    narrow = where(front, [Limit(metric="size_bytes", at_most=True, value=3.0)])
    assert [each.trial for each in narrow.members] == [1]
    assert 0 < narrow.hypervolume < front.hypervolume
    assert where(front, []) == front


def test_where_may_leave_nothing_but_knows_the_metrics():
    front = pareto_front([member(0)], OBJECTIVES, [])
    assert not where(front, [Limit(metric="size_bytes", at_most=True, value=1.0)]).members
    with pytest.raises(ValueError, match=r"'size'; there are accuracy, latency_ms, size_bytes"):
        where(front, [Limit(metric="size", at_most=True, value=1.0)])


def test_an_unknown_metric_is_answered_with_the_near_one_and_without_those_of_every_class():
    metrics = {"accuracy": 0.9, "recall.cat": 0.8, "recall.dog": 0.9, "test_recall.cat": 0.8}
    front = replace(pareto_front([member(0)], OBJECTIVES, []), members=(replace(member(0), metrics=metrics),))
    expected = r"'acuracy', did you mean 'accuracy'\? there are accuracy, and one a class, such as 'recall.cat'$"
    with pytest.raises(ValueError, match=expected):
        where(front, [Limit(metric="acuracy", at_most=False, value=0.9)])


def test_the_knee_is_the_member_nearest_to_the_ideal_point():
    # Losses over the front's own range: (0, 1), (1/4, 1/4), (1, 0).
    members = [member(0, accuracy=6.0, size=6.0), member(1, accuracy=5.0, size=3.0), member(2, accuracy=2.0, size=2.0)]
    assert knee(pareto_front(members, [ACCURACY, SIZE], [])).trial == 1


def test_the_knee_counts_logarithmically_where_the_objective_does():
    # On a linear axis a latency of 3 would be near the fastest, 1 to 7.9; by logarithm it is past the middle.
    members = [member(0, 8.0, 7.9), member(1, 3.5, 1.35), member(2, 4.2, 3.0), member(3, 0.0, 1.0)]
    chosen = knee(pareto_front(members, [ACCURACY, LATENCY], []))
    linear = Objective(metric="latency_ms", higher_is_better=False, worst=8.0, best=1.0)
    assert (chosen.trial, knee(pareto_front(members, [ACCURACY, linear], [])).trial) == (1, 2)


def test_the_knee_of_a_front_that_bends_outwards_is_no_extreme():
    members = [member(0, 8.0, size=8.0), member(1, 4.0, size=4.5), member(2, 0.5, size=0.5)]
    assert knee(pareto_front(members, [ACCURACY, SIZE], [])).trial == 1


def test_the_knee_of_one_or_two_members_is_the_first():
    one = pareto_front([member(0)], OBJECTIVES, [])
    two = pareto_front([member(0, 2.0, size=2.0), member(1, 6.0, size=6.0)], [ACCURACY, SIZE], [])
    assert knee(one).trial == 0
    assert knee(two).trial == 1  # as near as the other, and better in the first objective


@settings(max_examples=50, deadline=None)
@given(MEMBERS, CHOICES)
def test_the_knee_is_a_member_for_any_number_of_objectives(members, objectives):
    front = pareto_front(members, objectives, [])
    if front.members:
        assert knee(front) in front.members


def test_the_best_is_by_one_metric_in_its_direction():
    front = pareto_front([member(0, 6.0, size=6.0), member(1, 2.0, size=2.0)], [ACCURACY, SIZE], [])
    assert best(front, "accuracy", higher_is_better=True).trial == 0
    assert best(front, "size_bytes", higher_is_better=False).trial == 1


def test_the_best_passes_over_members_without_the_metric():
    measured = replace(member(1, 2.0, size=2.0), metrics={"accuracy": 2.0, "size_bytes": 2.0, "f1": 0.1})
    front = pareto_front([member(0, 6.0, size=6.0), measured], [ACCURACY, SIZE], [])
    assert best(front, "f1", higher_is_better=True).trial == 1
    with pytest.raises(ValueError, match="no member of the front has the metric 'f2'; there are"):
        best(front, "f2", higher_is_better=True)


def test_nothing_can_be_picked_from_an_empty_front():
    empty = pareto_front([], OBJECTIVES, [])
    with pytest.raises(ValueError, match="front is empty"):
        knee(empty)
    with pytest.raises(ValueError, match="loosen the limits"):
        best(empty, "accuracy", higher_is_better=True)
