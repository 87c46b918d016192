"""The Gaussian process, against the textbook's formulas and what it is for."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from automl.samplers.pareto import surrogate
from automl.samplers.pareto.belief import Kernels, believe, milestone
from automl.samplers.pareto.surrogate import Features, GaussianProcess, Kernel, fit_kernel

Array = NDArray[np.float64]

COLUMNS = Features(group_X=np.array([0, 0, 1, 2]), trend_X=np.array([False, False, False, True]))
KERNEL = Kernel(features=COLUMNS, scale=0.8, trend=0.4, sharing=0.1, noise=0.05, weight_G=np.array([0.5, 1.0, 0.2]))


def points(count: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.integers(0, 2, (count, 2)), rng.uniform(-1, 1, (count, 2))], axis=1).astype(np.float64)


def covariance(one: Array, other: Array) -> float:
    """Give the covariance of two points, written out."""
    weights = (0.5, 0.5, 1.0, 0.2)
    distance = sum(weight * (a - b) ** 2 for weight, a, b in zip(weights, one, other, strict=True))
    far = np.sqrt(5 * distance)
    sharing = sum(a * b for a, b in zip(one[:3], other[:3], strict=True))
    return float(0.8 * (1 + far + far**2 / 3) * np.exp(-far) + 0.4 * one[3] * other[3] + 0.1 * sharing)


def test_predictions_are_those_of_the_textbook() -> None:
    seen, asked, value = points(12), points(5, seed=1), np.random.default_rng(2).standard_normal(12)
    own = np.array([[covariance(a, b) for b in seen] for a in seen]) + (0.05 + 1e-6) * np.eye(12)
    between = np.array([[covariance(a, b) for b in asked] for a in seen])
    mean, deviation = GaussianProcess(KERNEL, seen, value).predict(asked)
    # Rasmussen and Williams, 2006, equations 2.25 and 2.26.
    np.testing.assert_allclose(mean, value.mean() + between.T @ np.linalg.solve(own, value - value.mean()), atol=1e-9)
    variance = [covariance(a, a) for a in asked] - np.einsum("nc,nc->c", between, np.linalg.solve(own, between))
    np.testing.assert_allclose(deviation, np.sqrt(variance), atol=1e-9)


def test_the_gradient_of_the_fit_is_that_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, value = points(15), np.random.default_rng(2).standard_normal(15)
    asked = []

    def checked(objective, start, **settings):
        del settings
        rng = np.random.default_rng(3)
        for _ in range(4):
            place = start + 0.5 * rng.standard_normal(len(start))
            loss, gradient = objective(place)
            asked.append(np.isfinite(loss))
            expected = approx_fprime(place, lambda log: objective(log)[0], 1e-6)
            np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-3)
        return type("Found", (), {"x": start})

    monkeypatch.setattr(surrogate, "minimize", checked)
    fit_kernel(COLUMNS, seen, value)
    assert asked == [True] * 4


def test_a_column_that_decides_gets_a_weight_and_one_that_does_not_loses_it() -> None:
    seen = points(60)
    kernel = fit_kernel(COLUMNS, seen, np.sin(4 * seen[:, 2]))
    assert kernel.weight_G[1] > 10 * max(kernel.weight_G[0], kernel.weight_G[2])
    assert kernel.noise < 0.01


def test_a_trend_is_followed_to_where_nothing_was_seen() -> None:
    seen = points(30)
    far = seen[:3].copy()
    far[:, 3] = 3.0
    value = seen[:, 3] * 1.5
    mean, _ = GaussianProcess(fit_kernel(COLUMNS, seen, value), seen, value).predict(far)
    assert (mean > 2.5).all()  # without the trend, nothing beyond the largest seen, 1.5


def test_what_is_under_way_leaves_the_mean_and_takes_doubt_away() -> None:
    seen, pending, value = points(10), points(3, seed=4), np.random.default_rng(5).standard_normal(10)
    before, after = GaussianProcess(KERNEL, seen, value), believe(KERNEL, seen, value, pending)
    asked = np.concatenate([pending, points(6, seed=6)])
    np.testing.assert_allclose(after.predict(asked)[0], before.predict(asked)[0], atol=1e-6)
    assert (after.predict(pending)[1] < before.predict(pending)[1]).all()


def test_hyperparameters_are_found_again_at_milestones_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [milestone(count) for count in (0, 7, 30, 33, 34, 38, 39, 1000)] == [0, 7, 30, 30, 34, 34, 39, 877]
    fits = []
    monkeypatch.setattr("automl.samplers.pareto.belief.fit_kernel", lambda *given: fits.append(len(given[1])) or KERNEL)
    kernels = Kernels(columns=COLUMNS)
    seen, value = points(40), np.random.default_rng(0).standard_normal(40)
    for count in (29, 30, 31, 33, 34, 34, 38):
        kernels.get("accuracy", seen[:count], lambda reached: value[:reached])
    assert fits == [29, 30, 34]


def test_hyperparameters_are_found_again_where_what_was_seen_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    monkeypatch.setattr("automl.samplers.pareto.belief.fit_kernel", lambda *given: fits.append(given[2][0]) or KERNEL)
    kernels, seen = Kernels(columns=COLUMNS), points(5)
    for first in (1.0, 1.0, 2.0, 1.0):
        kernels.get("accuracy", seen, lambda count, first=first: np.full(count, first))
    assert fits == [1.0, 2.0, 1.0]


def test_hyperparameters_are_drawn_around_the_likely_ones_by_chance_that_is_given() -> None:
    drawn = [KERNEL.varied(np.random.default_rng(seed)) for seed in range(400)]
    again = KERNEL.varied(np.random.default_rng(3))
    assert (again.scale, again.noise, *again.weight_G) == (drawn[3].scale, drawn[3].noise, *drawn[3].weight_G)
    assert np.median([each.scale for each in drawn]) == pytest.approx(KERNEL.scale, rel=0.1)
    assert np.std([np.log(each.weight_G[0]) for each in drawn]) == pytest.approx(0.4, rel=0.15)


def test_what_would_be_measured_varies_by_the_noise_more_than_the_function_does() -> None:
    process = GaussianProcess(KERNEL, points(12), np.random.default_rng(2).standard_normal(12))
    mean, deviation = process.predict(points(5, seed=1))
    same, measured = process.predict(points(5, seed=1), measured=True)
    np.testing.assert_array_equal(mean, same)
    np.testing.assert_allclose(measured**2 - deviation**2, 0.05)
