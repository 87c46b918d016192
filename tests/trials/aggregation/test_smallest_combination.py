"""The quadratic programme of AE-KD against enumeration and against scipy."""

import itertools
import time

import numpy as np
import pytest
from scipy.optimize import minimize

from trials.aggregation.smallest_combination import smallest_combination


def value(gram, weights):
    return 0.5 * weights @ gram @ weights


def best_by_enumeration(gram, at_most):
    """The smallest value over every choice of which weights are 0, which at the bound, and which between."""
    num, best = len(gram), np.inf
    for states in itertools.product((0, 1, 2), repeat=num):
        free = [k for k, state in enumerate(states) if state == 1]
        weights = np.array([at_most if state == 2 else 0.0 for state in states])
        rest = 1 - weights.sum()
        if free:
            ones = np.ones((len(free), 1))
            system = np.block([[gram[np.ix_(free, free)], ones], [ones.T, np.zeros((1, 1))]])
            right = np.append(-gram[free] @ weights, rest)
            weights[free] = np.linalg.lstsq(system, right, rcond=None)[0][:-1]
        feasible = abs(weights.sum() - 1) < 1e-7 and weights.min() > -1e-9 and weights.max() < at_most + 1e-9
        best = min(best, value(gram, weights)) if feasible else best
    return best


def vectors(num, kind, seed):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(num, 10))
    if kind == "few dimensions":
        found = found[:, : max(1, num // 2)]
    if kind == "one direction":
        found += 3 * rng.normal(size=10)
    if kind == "twins":
        found[num // 2 :] = found[: num - num // 2]
    if kind == "one is far longer":
        found[0] *= 1e4
    if kind == "one is zero":
        found[-1] = 0
    return found


KINDS = ["any", "few dimensions", "one direction", "twins", "one is far longer", "one is zero"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num", [1, 2, 3, 4, 5, 8])
def test_no_feasible_weights_are_better(num, kind):
    at_most = max(0.6, 1 / num)
    for seed in range(8 if num < 5 else 2):
        found = vectors(num, kind, seed)
        gram = found @ found.T
        weights = smallest_combination(gram, at_most=at_most)
        assert abs(weights.sum() - 1) < 1e-9
        assert weights.min() >= 0
        assert weights.max() <= at_most + 1e-12
        scale = np.trace(gram) / num + 1e-12
        if num < 6:
            assert value(gram, weights) <= best_by_enumeration(gram, at_most) + 1e-8 * scale
        slsqp = minimize(
            lambda w, gram=gram, scale=scale: value(gram, w) / scale,
            np.full(num, 1 / num),
            jac=lambda w, gram=gram, scale=scale: gram @ w / scale,
            bounds=[(0, at_most)] * num,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert value(gram, weights) / scale <= slsqp.fun + 1e-7


def test_two_vectors_by_hand():
    # The foot of the perpendicular from 0 onto the line between them, unless it lies beyond the bound.
    for first, second in [((1.0, 0.0), (0.0, 1.0)), ((3.0, 0.0), (0.0, 1.0)), ((1.0, 1.0), (-1.0, 2.0))]:
        g = np.array([first, second])
        share = (g[1] @ (g[1] - g[0])) / ((g[0] - g[1]) @ (g[0] - g[1]))
        share = min(max(share, 0.4), 0.6)
        found = smallest_combination(g @ g.T, at_most=0.6)
        np.testing.assert_allclose(found, [share, 1 - share], atol=1e-8)


def test_a_bound_may_hold_several_at_once():
    weights = smallest_combination(np.diag([1e-6, 1e-6, 1.0, 1.0, 1.0]), at_most=0.4)
    np.testing.assert_allclose(weights, [0.4, 0.4, 0.2 / 3, 0.2 / 3, 0.2 / 3], rtol=1e-6)
    np.testing.assert_allclose(smallest_combination(np.diag([1.0, 2.0]), at_most=0.5), [0.5, 0.5])


def test_equals_share_alike_and_so_do_those_of_whom_nothing_is_known():
    for gram in (np.zeros((4, 4)), np.ones((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf)):
        np.testing.assert_allclose(smallest_combination(gram, at_most=0.6), 0.25)


def test_it_does_not_depend_on_scale_or_order():
    found = vectors(5, "any", 3)
    weights = smallest_combination(found @ found.T, at_most=0.6)
    for scale in (1e-8, 1e8):
        np.testing.assert_allclose(smallest_combination(scale * found @ found.T, at_most=0.6), weights, atol=1e-8)
    turned = found[::-1]
    np.testing.assert_allclose(smallest_combination(turned @ turned.T, at_most=0.6)[::-1], weights, atol=1e-8)


def test_eight_vectors_take_far_less_than_a_training_step():
    grams = [found @ found.T for found in (vectors(8, kind, seed) for kind in KINDS for seed in range(10))]
    started = time.process_time()
    for gram in grams:
        smallest_combination(gram, at_most=0.6)
    assert (time.process_time() - started) / len(grams) < 5e-3
