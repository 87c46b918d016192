"""Contributions: means and intervals of what is lost without a teacher, seed by seed."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_rel  # type: ignore[import-untyped] # it has no types

from automl.attribution.attribute import _parts
from automl.attribution.contributions import LABEL, Inquiry, Retraining, attribution_of, paired_interval
from teachers import MISSING_LABEL, Coverage

INQUIRY = Inquiry(trial=3, metric="accuracy", higher_is_better=True, heard=("a", "b"), teachers="d1", num_rows=0)


def student(
    seed: int, score: float, *without: str, parts: Mapping[str, Mapping[str, float]] | None = None
) -> Retraining:
    return Retraining(trial=3, seed=seed, without=without, teachers="d1", score=score, parts=parts or {})


@pytest.mark.parametrize(
    ("differences", "mean", "half"),
    [
        # Quantiles from tables of Student's t: 12.706, 4.303 and 2.776 for 1, 2 and 4 degrees of freedom.
        ([0.1, 0.3], 0.2, 12.7062 * 0.1),
        ([1.0, 2.0, 3.0], 2.0, 4.3027 * 1 / 3**0.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 3.0, 2.7764 * (2.5 / 5) ** 0.5),
        ([0.5, 0.5, 0.5], 0.5, 0.0),
    ],
)
def test_intervals_are_those_of_student_s_t(differences: list[float], mean: float, half: float) -> None:
    interval = paired_interval(differences, [0.0] * len(differences))
    assert interval.mean == pytest.approx(mean)
    assert (interval.low, interval.high) == pytest.approx((mean - half, mean + half), rel=1e-4)
    assert interval.num_seeds == len(differences)


def test_intervals_are_those_of_a_paired_test() -> None:
    more, less = [0.91, 0.94, 0.88, 0.95], [0.90, 0.92, 0.89, 0.91]
    expected = ttest_rel(more, less).confidence_interval(0.95)
    interval = paired_interval(more, less, num_rows=100)  # rows more or less differ by more than one
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.holds_zero == (ttest_rel(more, less).pvalue > 0.05)


def test_one_row_that_few_seeds_agree_about_is_no_certainty() -> None:
    assert not paired_interval([0.5] * 3, [0.475] * 3).holds_zero
    interval = paired_interval([20 / 40] * 3, [19 / 40] * 3, num_rows=40)
    assert interval.holds_zero
    assert interval.high - interval.mean == pytest.approx(4.3027 * (1 / 6) ** 0.5 / 40 / 3**0.5, rel=1e-4)
    assert not paired_interval([20 / 40] * 3, [17 / 40] * 3, num_rows=40).holds_zero
    # What is no share of the rows has no such steps.
    assert paired_interval([0.5, 0.5], [0.4771, 0.4771], num_rows=40).low == pytest.approx(0.0229)


def test_what_the_seed_does_to_both_students_falls_out() -> None:
    luck = [0.0, 0.3, -0.2]
    alike = [student(seed, 0.5 + luck[seed]) for seed in range(3)]
    less = [student(seed, 0.4 + luck[seed], "a") for seed in range(3)]
    found = attribution_of(INQUIRY, [*alike, *less])
    assert found is not None
    (contribution,) = found.contributions
    assert contribution.whole.mean == pytest.approx(0.1)
    assert contribution.whole.high - contribution.whole.low == pytest.approx(0.0, abs=1e-9)


def test_each_teacher_then_all_together_in_their_order() -> None:
    scores = {(): [0.9, 0.8], ("b",): [0.7, 0.7], ("a",): [0.9, 0.9], ("a", "b"): [0.5, 0.6]}
    students = [student(seed, scores[without][seed], *without) for without in scores for seed in (0, 1)]
    found = attribution_of(INQUIRY, students)
    assert found is not None
    assert found.score == pytest.approx(0.85)
    assert found.num_seeds == 2
    means = {each.without: each.whole.mean for each in found.contributions}
    assert list(means) == [("a",), ("b",), ("a", "b")]
    assert list(means.values()) == pytest.approx([-0.05, 0.15, 0.3])


def test_where_less_is_better_a_teacher_that_lowers_it_helps() -> None:
    students = [*(student(seed, 0.2) for seed in (0, 1)), *(student(seed, 0.5, "a") for seed in (0, 1))]
    found = attribution_of(replace(INQUIRY, higher_is_better=False), students)
    assert found is not None
    assert found.contributions[0].whole.mean == pytest.approx(0.3)


def test_parts_are_compared_one_by_one() -> None:
    students = []
    for seed in (0, 1):
        students.append(student(seed, 0.9, parts={LABEL: {"x": 0.8, "y": 1.0}, "site": {"north": 0.9}}))
        students.append(student(seed, 0.8, "b", parts={LABEL: {"x": 0.5, "y": 1.0}, "site": {"north": 1.0}}))
    found = attribution_of(INQUIRY, students)
    assert found is not None
    (contribution,) = found.contributions
    means = {by: {name: each.mean for name, each in parts.items()} for by, parts in contribution.parts.items()}
    assert means[LABEL] == pytest.approx({"x": 0.3, "y": 0.0})
    assert means["site"] == pytest.approx({"north": -0.1})


def test_seeds_without_a_partner_do_not_count() -> None:
    students = [student(0, 0.9), student(1, 0.9), student(5, 0.1), student(0, 0.8, "a"), student(1, 0.6, "a")]
    found = attribution_of(INQUIRY, [*students, student(7, 0.0, "a")])
    assert found is not None
    assert found.contributions[0].whole.num_seeds == 2
    assert found.contributions[0].whole.mean == pytest.approx(0.2)


def test_one_seed_tells_nothing() -> None:
    assert attribution_of(INQUIRY, [student(0, 0.9), student(0, 0.8, "a"), student(1, 0.8, "a")]) is None


def test_students_of_other_trials_and_other_teachers_are_passed_over() -> None:
    students = [student(seed, score, *without) for seed in (0, 1) for score, without in ((0.9, ()), (0.8, ("a",)))]
    assert attribution_of(INQUIRY, students) is not None
    assert attribution_of(INQUIRY, [replace(each, trial=4) for each in students]) is None
    assert attribution_of(INQUIRY, [replace(each, teachers="d2") for each in students]) is None


def test_of_one_teacher_labels_only_is_the_same_comparison() -> None:
    students = [*(student(seed, 0.9) for seed in (0, 1)), *(student(seed, 0.7, "a") for seed in (0, 1))]
    found = attribution_of(replace(INQUIRY, heard=("a",)), students)
    assert found is not None
    assert [each.without for each in found.contributions] == [("a",)]


def test_rows_are_divided_by_what_teachers_cover() -> None:
    labels = np.zeros(8, dtype=np.int64)
    labels[5] = MISSING_LABEL
    sites = np.array([3, 3, 1, 1, 2, 7, 3, 3])
    splits = {"validation": np.arange(2, 8)}
    dataset = SimpleNamespace(labels=labels, columns={"site": sites, "unused": sites}, splits=splits)
    coverages = {
        "a": Coverage(column="site", values=("3", "1")),
        "b": Coverage(column="site", values=(1, 7)),
        "c": Coverage(),
    }
    found = _parts(SimpleNamespace(dataset=dataset, coverages=coverages))  # type: ignore[arg-type] # all that is read
    # Nobody knows the label of the only row of site 7, so that nothing can be judged there.
    assert {part: rows.tolist() for part, rows in found.items()} == {
        ("site", "3"): [6, 7],
        ("site", "1"): [2, 3],
        ("site", "(other)"): [4],
    }
