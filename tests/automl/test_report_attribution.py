"""What the page says of contributions: with intervals, plainly, and only where somebody asked."""

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from automl.attribution.contributions import LABEL, Attribution, Contribution, Inquiry, Interval
from automl.attribution.view import attribution_tables, attribution_text, verdict
from automl.report import render
from automl.report.attribution import MOST_COLUMNS, MOST_TEXTS

EVIL = "<script>alert('x')</script> & [bold]"
HELPS, NOTHING, HARMS = (
    Interval(mean=mean, low=mean - 0.02, high=mean + 0.02, num_seeds=5) for mean in (0.05, 0.01, -0.04)
)


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.report.page.packed_plotly", lambda: "/* plotly */")


def attribution(names: tuple[str, ...] = ("left", "right"), labels: tuple[str, ...] = ("0", "1")) -> Attribution:
    inquiry = Inquiry(
        trial=7,
        metric="accuracy",
        higher_is_better=True,
        heard=names,
        silent=("upright",),
        needed={"right": "nobody knows classes [3]"},
        teachers="d",
        num_rows=359,
        part_rows={"style": {"a": 142}},
    )
    parts = {LABEL: {label: (HELPS, NOTHING, HARMS)[k % 3] for k, label in enumerate(labels)}, "style": {"a": HARMS}}
    wholes = {(names[0],): HELPS, (names[1],): NOTHING, names: HARMS}
    contributions = tuple(Contribution(without=key, whole=whole, parts=parts) for key, whole in wholes.items())
    return Attribution(inquiry=inquiry, score=0.9123, contributions=contributions)


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page[: page.index("<script")]))


def figures_of(page: str) -> list[Any]:
    return [json.loads(data) for data in re.findall(r'data-figure="[^"]+">(.*?)</script>', page, re.DOTALL)]


def heat_maps(page: str) -> list[Any]:
    return [
        f["data"][0] for f in figures_of(page) if f["data"] and "customdata" in f["data"][0] and "z" in f["data"][0]
    ]


def test_nothing_is_said_until_somebody_asks_and_how_to_ask_is(make_run: Any) -> None:
    run = make_run(12)
    asked = replace(run, attributions=(attribution(),))
    assert "What each teacher contributed" not in re.sub(r"<pre.*?</pre>", "", render(run))
    assert re.search(rf"automl attribute {re.escape(str(run.folder))} \d+", render(run))
    assert '<section id="attribution">' in render(asked)
    assert "automl attribute" not in render(asked)
    assert "automl attribute" not in render(make_run(12, num_teachers=0))


def test_each_interval_is_told_plainly(make_run: Any) -> None:
    text = text_of(render(replace(make_run(3), attributions=(attribution(),))))
    assert "left helps (+0.0500, +0.0300 to +0.0700); most at label 0 (+0.0500) and at style a (-0.0400)." in text
    assert "right cannot be told from nothing with 5 seeds (+0.0100, -0.0100 to +0.0300)" in text
    assert "all 2 together, against labels alone, harms (-0.0400, -0.0600 to -0.0200)" in text
    assert "upright did not take part in this trial, and contributed nothing." in text
    assert "right cannot be left out: nobody knows classes [3]." in text
    assert "accuracy 0.9123 on validation rows, the mean over 5 seeds" in text


def test_cells_that_tell_nothing_are_pale(make_run: Any) -> None:
    page = render(replace(make_run(3), attributions=(attribution(labels=("0", "1", "2")),)))
    by_label, by_style = heat_maps(page)
    assert by_label["z"] == [[0.05, 0.0, -0.04]] * 3
    assert by_label["text"][0] == ["<b>+0.05</b>", "+0.01", "<b>-0.04</b>"]
    assert (by_label["zmin"], by_label["zmax"]) == (-0.05, 0.05)
    assert [name.strip() for name in by_style["x"]] == ["a"]
    assert re.search(r'<td class="text">a</td><td data-value="142.0">142</td>', page)


def test_of_many_labels_a_picture_shows_the_strongest_and_the_table_all(make_run: Any) -> None:
    labels = tuple(f"label{k}" for k in range(100))
    page = render(replace(make_run(3), attributions=(attribution(labels=labels),)))
    by_label, _ = heat_maps(page)
    assert len(by_label["x"]) == MOST_COLUMNS > MOST_TEXTS
    assert "text" not in by_label
    assert 0.0 not in by_label["z"][0][:34]
    assert f"The {MOST_COLUMNS} of 100 that gain or lose most." in page
    assert all(f">{label}<" in page for label in labels)


def test_names_are_shown_and_not_run(make_run: Any) -> None:
    evil = attribution(names=(EVIL, "b"), labels=(EVIL,))
    page = render(replace(make_run(3), attributions=(evil,)))
    assert "<script>alert" not in page
    assert page.count("<script") == render(replace(make_run(3), attributions=(attribution(),))).count("<script")
    assert EVIL in text_of(page)


def test_the_screen_shows_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    console = Console(width=200)
    for table in attribution_tables(attribution(names=(EVIL, "b"), labels=tuple(map(str, range(30))))):
        console.print(table)
    shown = capsys.readouterr().out
    assert EVIL in shown
    assert "cannot be told from nothing with 5 seeds" in shown
    assert "... and 10 in the report" in shown
    text = attribution_text(attribution())
    assert max(map(len, text.splitlines())) <= 80
    assert "right cannot be left out: nobody knows classes [3]." in text


def test_an_interval_of_two_seeds_is_said_to_be_of_too_few() -> None:
    two = Interval(mean=-0.25, low=-3.427, high=2.927, num_seeds=2)
    assert verdict(two) == "cannot be told with 2 seeds; give --seeds 3 or more"
    assert verdict(replace(two, num_seeds=3)) == "cannot be told from nothing with 3 seeds"
