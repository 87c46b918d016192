"""Whether the bootstrap tells a score that foretells something from one that does not."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from trials.proxies.agreement import agreements, spearman


def test_rank_correlation_is_that_of_scipy_with_ties() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(5, size=(3, 30)).astype(float), rng.integers(7, size=(3, 30)).astype(float)
    expected = [spearmanr(first, second).statistic for first, second in zip(one, other, strict=True)]
    assert spearman(one, other) == pytest.approx(expected)
    assert spearman(np.ones((1, 4)), np.arange(4.0)[None]) == [0.0]


def test_a_score_that_foretells_more_than_the_baseline_leads() -> None:
    rng = np.random.default_rng(1)
    quality = rng.normal(size=60)
    scores = {
        "params": quality + 2 * rng.normal(size=60),
        "good": quality + 0.2 * rng.normal(size=60),
        "noise": rng.normal(size=60),
        "squared": (quality + 2 * rng.normal(size=60)) ** 3,
    }
    found = {each.name: each for each in agreements(scores, quality, baseline="params")}
    assert found["good"].leads
    assert found["good"].low < found["good"].correlation < found["good"].high
    assert found["good"].lead == pytest.approx(found["good"].correlation - found["params"].correlation)
    assert not any(found[name].leads for name in ("params", "noise", "squared"))
    assert (found["params"].lead, found["params"].lead_low, found["params"].lead_high) == (0, 0, 0)


def test_an_interval_narrows_with_students_and_is_the_same_twice() -> None:
    rng = np.random.default_rng(2)
    quality = rng.normal(size=400)
    score = quality + rng.normal(size=400)
    few, many = (agreements({"s": score[:n]}, quality[:n], baseline="s")[0] for n in (20, 400))
    assert many.high - many.low < (few.high - few.low) / 2
    assert agreements({"s": score}, quality, baseline="s") == [many]
    # By Fisher's z, about 0.69 with a standard error of (1 - .69**2) / sqrt(397): the bootstrap must come near.
    assert many.high - many.low == pytest.approx(2 * 1.96 * (1 - many.correlation**2) / np.sqrt(397), rel=0.25)


def test_students_without_a_score_are_left_out_of_both() -> None:
    quality = np.arange(10.0)
    patchy = np.where(np.arange(10) < 4, np.nan, quality)
    baseline = np.where(np.arange(10) < 4, -quality, quality)
    found = {each.name: each for each in agreements({"base": baseline, "patchy": patchy}, quality, baseline="base")}
    assert found["patchy"].students == 6
    assert found["patchy"].lead == 0.0
    none = np.full(10, np.nan)
    assert [each.name for each in agreements({"base": quality, "none": none}, quality, baseline="base")] == ["base"]
