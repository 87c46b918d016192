"""The gain in hypervolume, against moocore and against chance."""

import moocore
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from automl.samplers.pareto.improvement import expected_gain, free_boxes

Array = NDArray[np.float64]


def hypervolume(points: Array) -> float:
    return float(moocore.hypervolume(np.maximum(points, 0), ref=np.ones(points.shape[1]))) if len(points) else 0.0


def points_of(rng: np.random.Generator, num_points: int, num_objectives: int, *, tied: bool) -> Array:
    points = rng.uniform(-0.1, 1.1, (num_points, num_objectives))
    return points.round(1) if tied else points


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("num_points", [0, 1, 4, 25])
@pytest.mark.parametrize("num_objectives", [2, 3, 4])
def test_boxes_are_disjoint_and_together_all_that_no_point_dominates(
    num_objectives: int, num_points: int, tied: bool
) -> None:
    rng = np.random.default_rng(num_points)
    points = points_of(rng, num_points, num_objectives, tied=tied) * 0.8 + 0.2  # else a few dominate nearly all
    lower, upper = free_boxes(points, low_D=np.zeros(num_objectives))
    assert (upper - lower).prod(axis=1).sum() + hypervolume(points) == pytest.approx(1)
    drawn = rng.uniform(0, 1, (500, num_objectives))
    within = ((drawn[:, None] >= lower) & (drawn[:, None] < upper)).all(axis=2).sum(axis=1)
    dominated = (points <= drawn[:, None]).all(axis=2).any(axis=1)
    np.testing.assert_array_equal(within, ~dominated)


@pytest.mark.parametrize("num_objectives", [2, 3, 4])
def test_the_gain_of_known_losses_is_the_difference_of_hypervolumes(num_objectives: int) -> None:
    rng = np.random.default_rng(0)
    front, candidates = rng.uniform(0.2, 1.1, (12, num_objectives)), rng.uniform(-0.1, 1.1, (40, num_objectives))
    gain = expected_gain(list(candidates.T), free_boxes(front, low_D=np.zeros(num_objectives)))
    without = hypervolume(front)
    np.testing.assert_allclose(
        gain, [hypervolume(np.vstack([front, each])) - without for each in candidates], atol=1e-12
    )


class Normal:
    def __init__(self, mean: Array, deviation: float) -> None:
        self._mean, self._deviation = mean, deviation

    def below(self, levels: Array) -> Array:
        return np.asarray(ndtr((levels - self._mean[:, None]) / self._deviation))


@pytest.mark.parametrize("uncertain", [(0,), (0, 2), (0, 1, 2)])
def test_the_gain_of_uncertain_losses_is_the_mean_over_what_they_may_be(uncertain: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    front, candidates = rng.uniform(0.2, 1, (15, 3)), rng.uniform(0.1, 0.9, (4, 3))
    marginals = [Normal(candidates[:, d], 0.15) if d in uncertain else candidates[:, d] for d in range(3)]
    gain = expected_gain(marginals, free_boxes(front, low_D=np.array([-1.0, -1.0, -1.0])))
    for row, candidate in enumerate(candidates):
        drawn = np.repeat(candidate[None], 200_000, axis=0)
        drawn[:, list(uncertain)] += 0.15 * rng.standard_normal((200_000, len(uncertain)))
        found = expected_gain(list(drawn.T), free_boxes(front, low_D=np.array([-1.0, -1.0, -1.0])))
        assert gain[row] == pytest.approx(found.mean(), abs=5 * found.std() / 200_000**0.5 + 2e-5)


def test_nothing_is_gained_where_the_whole_space_is_dominated() -> None:
    ideal = np.zeros((1, 2))
    gain = expected_gain(
        [Normal(np.array([0.3, 0.4]), 0.1), np.array([0.2, 0.1])], free_boxes(ideal, low_D=np.zeros(2))
    )
    assert gain.tolist() == [0, 0]


def test_a_loss_beyond_the_reference_gains_nothing() -> None:
    gain = expected_gain(
        [np.array([0.1, 1.0, 1.2]), np.array([1.1, 0.2, 0.2])], free_boxes(np.zeros((0, 2)), low_D=np.zeros(2))
    )
    assert gain.tolist() == [0, 0, 0]
