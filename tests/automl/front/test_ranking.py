"""Places of points by several objectives, on cases worked out by hand."""

import math

import numpy as np
import pytest

from automl.front.ranking import crowding, places

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([[3.0], [1.0], [2.0]], [2, 0, 1]),
        ([[1.0], [1.0], [2.0]], [0, 0, 2]),  # Equal ones share a place.
        ([[0, 3], [3, 0], [1, 1], [2, 2], [3, 3]], [0, 0, 2, 3, 4]),  # Ends of the front, its middle, then by rank.
        ([[0, 1], [0, 1], [1, 0]], [0, 0, 0]),
        ([[0, 0], [NAN, 0], [5, 5], [0, INF]], [0, 2, 1, 2]),
        ([[NAN], [NAN]], [0, 0]),
        ([[0.5, 0.5]], [0]),
    ],
)
def test_places_of_few_points(losses: list[list[float]], expected: list[int]) -> None:
    assert places(np.array(losses, dtype=float)).tolist() == expected


def test_within_a_rank_the_lonely_come_first() -> None:
    front = np.array([[0, 10], [1, 7], [2, 6], [3, 5], [10, 0]], dtype=float)
    # Of the three in the middle: (2 + 4) / 10, (2 + 2) / 10, (8 + 6) / 10.
    assert crowding(front) == pytest.approx([INF, 0.6, 0.4, 1.4, INF])
    assert places(front).tolist() == [0, 3, 4, 2, 0]


def test_equal_points_share_their_distance_in_whatever_order_they_come() -> None:
    front = np.array([[0, 10], [4, 4], [4, 4], [10, 0]], dtype=float)
    assert crowding(front).tolist() == [INF, 2.0, 2.0, INF]


def test_places_do_not_depend_on_the_order_of_points() -> None:
    chance = np.random.default_rng(0)
    losses_ND = np.round(chance.uniform(size=(60, 3)), 1)
    order = chance.permutation(60)
    assert places(losses_ND)[order].tolist() == places(losses_ND[order]).tolist()


def test_no_point_comes_before_one_that_beats_it() -> None:
    losses_ND = np.random.default_rng(1).uniform(size=(80, 3))
    place_N = places(losses_ND)
    beats_NN = (losses_ND[:, None] <= losses_ND[None]).all(axis=2) & (losses_ND[:, None] < losses_ND[None]).any(axis=2)
    better, worse = np.nonzero(beats_NN)
    assert len(better)
    assert (place_N[better] < place_N[worse]).all()
