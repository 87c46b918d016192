import numpy as np
import pytest

from automl.samplers.pareto.warp import FloorWarp, RankWarp, Warp

LOSSES = np.random.default_rng(0).beta(2, 5, 40)
WARPS = {"floor": FloorWarp(LOSSES, 0.4), "rank": RankWarp(LOSSES), "one value": RankWarp(np.full(3, 0.5))}


@pytest.mark.parametrize("name", WARPS)
def test_a_warp_keeps_the_order_and_leads_back(name: str) -> None:
    warp: Warp = WARPS[name]
    levels = np.linspace(-0.2, 1.2, 300)
    warped = warp(levels)
    assert (np.diff(warped) > 0).all()
    np.testing.assert_allclose(warp.inverse(warped), levels, atol=1e-9)


@pytest.mark.parametrize("name", ["floor", "rank"])
def test_what_was_seen_lies_around_0_with_a_spread_of_about_1(name: str) -> None:
    warped = WARPS[name](LOSSES)
    assert abs(warped.mean()) < 0.05
    assert warped.std() == pytest.approx(1, abs=0.05)


def test_above_the_floor_a_loss_counts_by_its_logarithm() -> None:
    warp = FloorWarp(np.array([0.1, 0.3]), 0.2)  # 1 at .2, 1 + ln 2 at .3
    unit = warp(np.array([0.2]))[0] - warp(np.array([0.1]))[0]
    assert (warp(np.array([0.3])) - warp(np.array([0.2])))[0] == pytest.approx(unit * np.log(2))
