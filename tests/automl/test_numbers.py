"""How numbers are written for people."""

import pytest

from automl.numbers import duration, listed, percent, written


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", 0.9774, "0.9774"),
        ("accuracy", 1.0, "1"),
        ("perplexity", 12345.6, "1.235e+04"),
        ("latency_ms", 0.24587, "0.246 ms"),
        ("latency_ms", 12.34, "12.3 ms"),
        ("latency_ms", 345.6, "346 ms"),
        ("size_bytes", 950, "950 B"),
        ("size_bytes", 999_900, "1 MB"),
        ("params", 20_900, "20.9 k"),
        ("params", 850, "850"),
        ("macs", 1_980_000, "1.98 M"),
        ("accuracy", float("nan"), "—"),
        ("accuracy", None, "—"),
    ],
)
def test_numbers_are_written_for_people(metric, value, text):
    assert written(metric, value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (0.01, "<0.1 s"), (3.25, "3.2 s"), (59.4, "59 s"), (192, "3 min 12 s"), (7500, "2 h 05 min")],
)
def test_time_spans_are_written_for_people(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names, text):
    assert listed(names) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.48, "48 %"), (0.0251, "2.5 %"), (0.004, "0.4 %"), (0.00001, "< 0.1 %"), (0.0, "0.0 %")],
)
def test_shares_are_written_in_percent(share, text):
    assert percent(share) == text
