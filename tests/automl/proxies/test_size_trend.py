"""What a score is expected to be by size alone."""

import numpy as np
import pytest

from automl.proxies.size_trend import SizeTrend


def test_what_size_explains_wholly_leaves_nothing_beyond() -> None:
    params = np.array([1e3, 2e3, 5e3, 2e4, 7e4, 3e5])
    score = 3 - 2 * np.log(params) + 0.5 * np.log(params) ** 2
    trend = SizeTrend.fitted(params, score)
    assert [trend.beyond(*each) for each in zip(params, score, strict=True)] == pytest.approx([0.0] * 6, abs=1e-9)
    assert trend.beyond(1e4, 3 - 2 * np.log(1e4) + 0.5 * np.log(1e4) ** 2 + 1.5) == pytest.approx(1.5)


def test_a_larger_student_with_a_higher_score_may_be_worse_for_its_size() -> None:
    rng = np.random.default_rng(0)
    params = np.exp(rng.uniform(5, 12, size=64))
    trend = SizeTrend.fitted(params, 10 * np.log(params) + rng.normal(size=64))
    assert trend.beyond(1e3, 10 * np.log(1e3) + 3) > trend.beyond(1e5, 10 * np.log(1e5) - 3)


@pytest.mark.parametrize(("sizes", "expected"), [([50.0, 50.0], 2.0), ([50.0, 100.0], 1.0)])
def test_few_sizes_make_a_mean_or_a_line(sizes: list[float], expected: float) -> None:
    trend = SizeTrend.fitted(np.array(sizes), np.array([1.0, 3.0]))
    assert trend.beyond(50.0, 0.0) == pytest.approx(-expected)
