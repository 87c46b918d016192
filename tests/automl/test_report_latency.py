"""What the page says of latencies: what an interval is of, and which of them are not told apart."""

import re
from collections.abc import Callable
from dataclasses import replace

from automl.front.latency_ties import latency_ties
from automl.report import front_figure, render
from automl.run import Run

MakeRun = Callable[..., Run]


def text_of(run: Run) -> str:
    return re.sub(r"<[^>]*>", "", render(run))


def test_the_page_tells_what_an_interval_is_of_and_which_latencies_are_not_told_apart(make_run: MakeRun) -> None:
    run = make_run(24)
    ties = latency_ties(run.front)
    assert ties
    text = text_of(run)
    assert "Latency is the median over 9 rounds of measuring" in text
    assert "latency is no reason to prefer this one to it" in text
    for _, other in ties:
        assert f"not told from {other.trial} {other.precision}" in text


def test_where_all_are_told_apart_nothing_is_said_of_it(make_run: MakeRun) -> None:
    run = make_run(24)
    text = text_of(replace(run, front=replace(run.front, members=run.front.members[:1])))
    assert "9 rounds" in text
    assert "told from" not in text.casefold()


def test_records_from_before_there_were_rounds_claim_none(make_run: MakeRun) -> None:
    run = make_run(12)
    members = tuple(replace(m, latency=replace(m.latency, rounds=1)) for m in run.front.members)
    assert "rounds of measuring" not in text_of(replace(run, front=replace(run.front, members=members)))


def test_hovering_names_the_member_that_a_latency_is_not_told_from(make_run: MakeRun) -> None:
    run = make_run(24)
    texts = [text for trace in front_figure(run).data if trace.customdata is not None for text in trace.hovertext]
    told = sorted(text.split("not told from ")[1].split("<")[0] for text in texts if "not told from" in text)
    assert told == sorted(f"{other.trial} {other.precision}" for _, other in latency_ties(run.front))
