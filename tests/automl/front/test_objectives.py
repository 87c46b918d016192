"""Losses of objectives, and limits as text."""

import math

import numpy as np
import pytest

from automl.front.objectives import Objective, parse_limit, to_losses
from trials.records import Limit

ACCURACY = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
SIZE = Objective(metric="size_bytes", higher_is_better=False, worst=100_000, best=1_000, log=True)


def test_a_loss_is_0_at_the_best_and_1_at_the_worst_whatever_the_direction():
    for objective in (ACCURACY, SIZE):
        assert objective.loss(objective.best) == pytest.approx(0)
        assert objective.loss(objective.worst) == pytest.approx(1)


def test_a_logarithmic_loss_is_half_at_the_geometric_mean():
    assert SIZE.loss(10_000) == pytest.approx(0.5)


def test_a_loss_is_not_clipped():
    assert ACCURACY.loss(0.0) > 1
    assert SIZE.loss(500) < 0


def test_losses_stand_a_row_a_candidate_and_a_column_an_objective():
    losses = to_losses(
        [{"accuracy": 0.55, "size_bytes": 1_000}, {"accuracy": 1.0, "size_bytes": 100_000}], [ACCURACY, SIZE]
    )
    np.testing.assert_allclose(losses, [[0.5, 0.0], [0.0, 1.0]], atol=1e-12)


def test_what_is_missing_or_no_number_is_nan_in_its_place_only():
    losses = to_losses([{"size_bytes": 1_000}, {"accuracy": math.nan, "size_bytes": 1_000}], [ACCURACY, SIZE])
    assert np.isnan(losses).tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_stays_so_by_logarithm_too(value):
    assert not math.isfinite(SIZE.loss(value))


def test_no_candidates_make_no_rows_but_all_columns():
    assert to_losses([], [ACCURACY, SIZE]).shape == (0, 2)


@pytest.mark.parametrize(
    ("worst", "best", "log", "message"),
    [
        (0.9, 0.1, False, "runs the wrong way"),
        (0.5, 0.5, False, "runs the wrong way"),
        (math.nan, 1.0, False, "must be finite"),
        (0.0, 1.0, True, "above 0 for a logarithm"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(worst, best, log, message):
    with pytest.raises(ValueError, match=message):
        Objective(metric="accuracy", higher_is_better=True, worst=worst, best=best, log=log)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("latency_ms <= 2", Limit(metric="latency_ms", at_most=True, value=2.0)),
        ("size_bytes<=5e4", Limit(metric="size_bytes", at_most=True, value=50_000.0)),
        ("  accuracy>= .9 ", Limit(metric="accuracy", at_most=False, value=0.9)),
        ("accuracy.ankle boot >= 0.8", Limit(metric="accuracy.ankle boot", at_most=False, value=0.8)),
    ],
)
def test_limits_are_read_as_people_write_them(text, limit):
    assert parse_limit(text) == limit


def test_a_limit_that_is_written_is_read_back():
    limit = Limit(metric="params", at_most=True, value=12_000.0)
    assert parse_limit(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency_ms < 2", "write <= for <"),
        ("accuracy > 0.9", ">= for >"),
        ("latency_ms = 2", "one of <= and >="),
        ("latency_ms", "one of <= and >="),
        ("<= 2", "one metric"),
        ("latency_ms <=", "one number"),
        ("latency_ms <= 2ms", "'2ms' is not a number"),
        ("latency_ms <= 2 ms", "one metric"),
        ("latency_ms <= nan", "must be finite"),
        ("1 <= latency_ms <= 2", "one metric"),
        ("", "got ''"),
    ],
)
def test_a_limit_that_cannot_be_read_is_answered_with_how_to_write_it(text, message):
    with pytest.raises(ValueError, match="a limit reads 'latency_ms <= 2'") as caught:
        parse_limit(text)
    assert message in str(caught.value)
