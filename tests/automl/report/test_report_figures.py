"""Pictures of the front and of the choices: what is drawn, and where."""

import math
import struct
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from automl.report import front_figure, front_png
from automl.report.choices import choices_by_influence
from automl.report.looks import quality_range
from trials.records import Limit, Outcome


def test_the_figure_shows_every_member_at_its_values_and_every_other_candidate(make_run):
    run = make_run(24)
    figure = front_figure(run, "size_bytes")
    assert isinstance(figure, go.Figure)
    drawn = {
        (x, y) for trace in figure.data if trace.customdata is not None for x, y in zip(trace.x, trace.y, strict=True)
    }
    assert drawn == {(each.metrics["size_bytes"], each.metrics["accuracy"]) for each in run.front.members}
    trained = run.count(Outcome.TRAINED) * 2
    assert len(figure.data[0].x) + sum(len(t.x) for t in figure.data if t.customdata is not None) == trained


def test_one_poor_student_does_not_flatten_the_others():
    good = [0.95, 0.96, 0.97, 0.98, 0.99]
    assert quality_range(good, [0.9], rising=True) == (None, 0)
    (low, high), hidden = quality_range([*good, 0.5], [0.4, 0.94], rising=True)
    assert hidden == 2
    assert 0.9 < low < 0.94
    assert high > 0.99
    assert quality_range([0.99, 0.2], [0.1], rising=True) == (None, 0)  # of so few, none is strange


def test_where_less_is_better_the_poor_ones_lie_above():
    (low, high), hidden = quality_range([10.0, 11.0, 12.0, 13.0, 14.0, 90.0], [math.nan], rising=False)
    assert hidden == 1
    assert low < 10
    assert 14 < high < 90


def test_a_single_student_has_an_axis_around_it(make_run):
    run = make_run(1, limits=())
    (one, *_) = run.front.members
    run = replace(run, trials=(), front=replace(run.front, members=(one,)))
    figure = front_figure(run)
    low, high = figure.layout.xaxis.range
    at = math.log10(one.metrics["latency_ms"])
    assert low < at < high
    assert 0.3 <= high - low < 0.4
    assert sum(low <= math.log10(tick) <= high for tick in figure.layout.xaxis.tickvals) >= 2
    bottom, top = figure.layout.yaxis.range
    assert bottom < one.metrics["accuracy"] < top
    assert top - bottom == pytest.approx(0.1 * one.metrics["accuracy"])


def test_equal_students_and_those_of_a_metric_that_should_be_low_have_an_axis_too():
    (low, high), hidden = quality_range([2.5, 2.5], [2.5], rising=False)
    assert (low, high, hidden) == (pytest.approx(2.425), pytest.approx(2.675), 0)
    assert quality_range([0.0], [], rising=True) == (None, 0)
    assert quality_range([], [], rising=True) == (None, 0)


def test_what_lies_outside_the_picture_is_counted_in_it(make_run):
    run = make_run(24)
    poor = replace(run.front.members[-1], metrics={**run.front.members[-1].metrics, "accuracy": -3.0})
    figure = front_figure(replace(run, front=replace(run.front, members=(*run.front.members[:-1], poor))))
    assert figure.layout.yaxis.range[0] > 0
    assert any("1 poor candidate lies outside" in annotation.text for annotation in figure.layout.annotations)
    assert front_figure(run).layout.yaxis.range is None


def test_limits_are_lines_at_their_value(make_run):
    figure = front_figure(make_run(24), "latency_ms")
    assert [shape.x0 for shape in figure.layout.shapes] == [2.0]
    assert "latency_ms &lt;= 2" in [annotation.text for annotation in figure.layout.annotations]


def test_names_of_limits_lie_on_no_others_and_below_the_legend(make_run):
    lower, upper = (Limit(metric="latency_ms", at_most=at_most, value=2.0) for at_most in (False, True))
    quality = [Limit(metric="accuracy", at_most=at_most, value=0.5) for at_most in (False, True)]
    bare = front_figure(make_run(24, limits=()))
    figure = front_figure(make_run(24, limits=(lower, upper, *quality)))
    names = [each for each in figure.layout.annotations if "&" in each.text]
    assert len({(each.y, each.yanchor, each.yshift) for each in names}) == 4
    raised = (figure.layout.legend.y - bare.layout.legend.y) * (figure.layout.height - bare.layout.margin.t)
    assert raised > max(each.yshift or 0 for each in names)
    assert figure.layout.margin.t > bare.layout.margin.t


def test_the_area_of_a_marker_is_in_proportion_to_the_other_cost(make_run):
    run = make_run(24)
    for trace in front_figure(run, "latency_ms").data:
        if trace.customdata is not None:
            assert trace.marker.sizemode == "area"
            members = [m for x in trace.x for m in run.front.members if m.metrics["latency_ms"] == x]
            assert list(trace.marker.size) == [m.metrics["size_bytes"] for m in members]


def test_hovering_tells_interval_choices_and_digest(make_run):
    run = make_run(12, finished=False)
    texts = [text for trace in front_figure(run).data if trace.customdata is not None for text in trace.hovertext]
    for member in run.front.members:
        assert any(member.digest in text and "learning_rate" in text and ", provisional" in text for text in texts), (
            member
        )


@pytest.mark.parametrize("trials", [0, 1, 40])
def test_the_picture_is_a_png_of_the_size_it_says(make_run, trials):
    png = front_png(make_run(trials, num_teachers=0), dots_per_inch=50)
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (520, 215)


def test_the_picture_takes_any_name(make_run):
    assert front_png(make_run(1, name=r"$\frac{ & <b> 5 $"), dots_per_inch=20)


def test_the_choice_that_decides_comes_first(make_run):
    run = make_run(40)
    decided = []
    for each in run.trials:
        if each.result.candidates and each.result.outcome is Outcome.TRAINED:
            width = each.trial.number % 3
            first = each.result.candidates[0]
            first = replace(first, metrics={**first.metrics, "accuracy": 0.5 + 0.1 * width})
            each = replace(  # noqa: PLW2901 - the changed trial takes the place of the one made up
                each,
                values={"noise": each.trial.number % 2, "decides": width, "never": 1},
                result=replace(each.result, candidates=(first,)),
            )
        decided.append(each)
    shares = choices_by_influence(replace(run, trials=tuple(decided)))
    assert shares[0] == ("decides", pytest.approx(1.0))
    assert dict(shares)["noise"] < 0.2
    assert "never" not in dict(shares)


def test_epsilon_squared_is_that_of_the_formula_by_hand(make_run):
    # Values 1, 2, 3, 4 and 5, 6, 7, 8 in two groups: SS within 10, SS total 42, so 1 - (10 / 6) / (42 / 7).
    run = make_run(9, outcomes={6: Outcome.FAILED})
    trials = []
    for quality, each in enumerate((each for each in run.trials if each.result.candidates), start=1):
        first = each.result.candidates[0]
        first = replace(first, metrics={**first.metrics, "accuracy": float(quality)})
        trials.append(replace(each, values={"half": quality > 4}, result=replace(each.result, candidates=(first,))))
    assert len(trials) == 8
    assert choices_by_influence(replace(run, trials=tuple(trials))) == [
        ("half", pytest.approx(1 - (10 / 6) / (42 / 7)))
    ]
