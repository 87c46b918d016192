"""Whether the bootstrap tells a score that foretells something from one that does not."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from automl.proxies.agreement import Agreement, agreements, partial, spearman


def test_rank_correlation_is_that_of_scipy_with_ties() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(5, size=(3, 30)).astype(float), rng.integers(7, size=(3, 30)).astype(float)
    expected = [spearmanr(first, second).statistic for first, second in zip(one, other, strict=True)]
    assert spearman(one, other) == pytest.approx(expected)
    assert spearman(np.ones((1, 4)), np.arange(4.0)[None]) == [0.0]


def judged(scores: dict[str, np.ndarray], quality: np.ndarray) -> dict[str, Agreement]:
    return {each.name: each for each in agreements(scores, quality)}


def test_partial_correlation_is_that_of_what_is_left_of_ranks() -> None:
    rng = np.random.default_rng(3)
    ranks = rng.permuted(np.tile(np.arange(25.0), (3, 1)), axis=1)
    size = ranks[2] - ranks[2].mean()
    left = [row - row.mean() - size * (row @ size) / (size @ size) for row in ranks[:2]]
    expected = left[0] @ left[1] / np.sqrt((left[0] @ left[0]) * (left[1] @ left[1]))
    pairs = [spearman(ranks[one][None], ranks[other][None]) for one, other in ((0, 1), (0, 2), (2, 1))]
    assert partial(*pairs) == pytest.approx([expected])
    assert partial(np.array([0.5]), np.array([1.0]), np.array([0.5])) == [0.0]


def test_a_score_that_foretells_more_than_the_baseline_leads() -> None:
    rng = np.random.default_rng(1)
    quality = rng.normal(size=60)
    size = quality + 2 * rng.normal(size=60)
    scores = {
        "params": size,
        "good": quality + 0.2 * rng.normal(size=60),
        "noise": rng.normal(size=60),
        "cubed": size**3,
        "backwards": -quality,
    }
    found = judged(scores, quality)
    good = found["good"]
    assert good.leads
    assert good.correlation.low < good.correlation.value < good.correlation.high
    assert good.lead.value == pytest.approx(good.correlation.value - found["params"].correlation.value)
    assert good.partial.low > 0.5
    assert not any(found[name].leads for name in ("params", "noise", "cubed", "backwards"))
    assert (found["cubed"].lead.value, found["cubed"].lead.high) == (0, 0)
    assert (found["cubed"].partial.value, found["cubed"].partial.high) == (0, 0)


def test_a_score_that_is_less_wrong_than_the_baseline_does_not_lead() -> None:
    rng = np.random.default_rng(4)
    quality = rng.normal(size=100)
    found = judged({"params": -quality, "wrong": -quality + 3 * rng.normal(size=100)}, quality)
    assert found["wrong"].lead.low > 0
    assert not found["wrong"].leads


def test_an_interval_narrows_with_students_and_is_the_same_twice() -> None:
    rng = np.random.default_rng(2)
    quality = rng.normal(size=400)
    score = quality + rng.normal(size=400)
    few, many = (judged({"params": score[:n]}, quality[:n])["params"].correlation for n in (20, 400))
    assert many.high - many.low < (few.high - few.low) / 2
    assert judged({"params": score}, quality)["params"].correlation == many
    # By Fisher's z, the standard error is (1 - ρ²) / sqrt(N - 3): the bootstrap must come near.
    assert many.high - many.low == pytest.approx(2 * 1.96 * (1 - many.value**2) / np.sqrt(397), rel=0.25)


def test_students_without_a_score_are_left_out_of_both() -> None:
    quality = np.arange(10.0)
    patchy = np.where(np.arange(10) < 4, np.nan, quality)
    baseline = np.where(np.arange(10) < 4, -quality, quality)
    found = judged({"params": baseline, "patchy": patchy, "none": np.full(10, np.nan)}, quality)
    assert found.keys() == {"params", "patchy"}
    assert found["patchy"].students == 6
    assert found["patchy"].lead.value == 0.0
