"""The page about a run: whole, self-contained, safe with strange names, and of use when there is little to show."""

import html
import json
import math
import re
import struct
from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from automl.front import Member, best, knee
from automl.numbers import duration, written
from automl.objectives import Objective
from automl.report import front_figure, front_png, render, write_report
from automl.report.choices import choices_by_influence
from automl.report.looks import quality_range
from automl.report.markup import table, words
from trials.records import Limit, Outcome

EVIL = """<script>alert("x")</script> & 'quoted' $name ${style}"""


class Page(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.figures, self._open = [], "", {}, ("", {})
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = (tag, dict(attrs))

    def handle_data(self, data):
        tag, attributes = self._open
        if tag == "script" and "data-figure" in attributes:
            self.figures[attributes["data-figure"]] = json.loads(data)
        elif tag not in ("script", "style"):
            self.text += data + " "

    def handle_endtag(self, tag):
        self._open = ("", {})

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch):
    """Leave its 5 MB out, which only slow the reading of a page."""
    monkeypatch.setattr("automl.report.page.get_plotlyjs", lambda: "/* plotly */")


@pytest.fixture
def page(make_run):
    return Page(render(make_run(24)))


def test_the_page_loads_nothing(make_run):
    page = Page(render(make_run(12)))
    loading = {"src", "srcset", "data", "poster", "action", "background"}
    for tag, attributes in page.elements:
        assert not loading & set(attributes), (tag, attributes)
        assert tag not in ("link", "iframe", "img", "base", "object", "embed")
        if "href" in attributes:
            assert attributes["href"].startswith("#")
    assert "url(" not in render(make_run(1)).split("</style>")[0]


def test_a_browser_that_would_load_something_is_forbidden_to(page):
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_plotly_is_in_the_page_once(make_run, monkeypatch):
    monkeypatch.setattr("automl.report.page.get_plotlyjs", get_plotlyjs)
    text = render(make_run(12))
    assert text.count(get_plotlyjs()) == 1
    assert len(text) < 1.1 * len(get_plotlyjs())


def test_every_member_has_its_row_and_knee_and_best_are_named(make_run):
    run = make_run(24)
    text = render(run)
    for member in run.front.members:
        row = re.search(rf'<tr id="member-{member.trial}-{member.precision}">(.*?)</tr>', text).group(1)
        assert member.digest in row
        assert written("size_bytes", member.metrics["size_bytes"]) in row
        assert written("test_accuracy", member.metrics["test_accuracy"]) in row
    for tag, member in (("knee", knee(run.front)), ("best", best(run.front, "accuracy", higher_is_better=True))):
        row = re.search(rf'<tr id="member-{member.trial}-{member.precision}">(.*?)</tr>', text).group(1)
        assert f'class="tag {tag}"' in row
        assert text.count(f'class="tag {tag}"') == 1


def test_every_link_leads_somewhere_and_every_figure_has_its_place(page):
    names = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for tag, attributes in page.elements:
        if tag == "a":
            assert attributes["href"][1:] in names
    assert len(page.figures) > 10
    assert set(page.figures) <= names


def test_names_of_the_user_are_shown_and_not_run(make_run):
    run = make_run(12, name=EVIL)
    teacher = replace(run.teachers[0], name=EVIL, covers=EVIL, by_label={EVIL: 0.5}, by_home={EVIL: 0.5})
    failed = next(index for index, each in enumerate(run.trials) if each.result.outcome is Outcome.FAILED)
    trials = list(run.trials)
    trials[failed] = replace(trials[failed], result=replace(trials[failed].result, error=f"Traceback\n{EVIL}"))
    trials[0] = replace(trials[0], values={**trials[0].values, EVIL: EVIL})
    run = replace(
        run,
        teachers=(teacher, run.teachers[1]),
        trials=tuple(trials),
        machine={EVIL: EVIL},
        folder=run.folder / EVIL,
        config_text=EVIL,
    )
    text = render(run)
    assert EVIL not in text
    assert '<script>alert("x")' not in text
    assert html.escape(EVIL) in text
    plain = Page(render(make_run(12)))
    assert Page(text).count("script") == plain.count("script")


def test_provisional_latencies_are_said_to_be_so_while_the_search_goes_on(make_run):
    going_on, ended = Page(render(make_run(12, finished=False))).text, Page(render(make_run(12))).text
    assert "latencies are provisional" in going_on
    assert ", provisional" in going_on
    assert "--resume" in going_on
    assert "are provisional" not in ended
    assert ", provisional" not in ended
    assert "--resume" not in ended


def test_what_to_type_next_can_be_typed(make_run, tmp_path):
    run = make_run(12, folder=tmp_path / "my runs" / "digits")
    text = Page(render(run)).text
    assert f"automl export '{run.folder}' --pick knee --to students/knee" in text
    assert "automl predict students/knee INPUT" in text
    assert "mlflow ui" not in text
    tracking = {"command": "mlflow ui --port 7", "charts": "http://127.0.0.1:7/#/experiments/1"}
    tracked = Page(render(replace(run, tracking=tracking))).text
    assert "mlflow ui --port 7" in tracked
    assert "http://127.0.0.1:7/#/experiments/1" in tracked


def test_the_limit_of_the_example_is_one_that_members_keep(make_run):
    run = make_run(12)
    bound = float(re.search(r'--where "size_bytes<=(\d+)"', Page(render(run)).text).group(1))
    assert any(member.metrics["size_bytes"] <= bound for member in run.front.members)


def test_each_teacher_is_shown_at_the_home_of_each_with_its_own_in_a_frame(make_run):
    page = Page(render(make_run(3)))
    assert "Accuracy of each teacher at each one's home, %" in page.text
    (figure,) = (each for each in page.figures.values() if "home of straight" in json.dumps(each))
    (heat,) = figure["data"]
    assert [name.strip() for name in heat["y"]] == ["slanted_left", "straight", "slanted_right"]
    assert heat["text"] == [["97", "61", "61"], ["61", "97", "61"], ["61", "61", "97"]]
    frames = [(shape["x0"], shape["y0"]) for shape in figure["layout"]["shapes"]]
    assert frames == [(-0.5, -0.5), (0.5, 0.5), (1.5, 1.5)]


def test_homes_are_compared_only_where_there_are_several(make_run):
    run = make_run(3)
    generalists = [replace(each, metrics={"home": 0.97}) for each in run.teachers]
    for teachers in (run.teachers[:1], tuple(generalists)):
        assert "each one's home" not in Page(render(replace(run, teachers=teachers))).text


def test_failures_are_listed_by_the_last_line_of_their_error(make_run):
    text = Page(render(make_run(24))).text
    assert "RuntimeError: loss is not a number at epoch 3" in text
    assert "10, 21" in text
    assert "Traceback" not in text


def test_before_the_first_trial_the_page_says_so(make_run):
    page = Page(render(make_run(0, num_teachers=0, finished=False)))
    assert "No trial has ended yet" in page.text
    assert "This search has no teachers" in page.text
    assert not page.figures


def test_one_trial_is_enough_for_a_page(make_run):
    page = Page(render(make_run(1)))
    assert "1 student" in page.text
    assert "It takes 8 trained trials" in page.text


def test_where_every_student_is_refused_it_says_what_to_loosen(make_run):
    run = make_run(4, outcomes=dict.fromkeys(range(4), Outcome.INFEASIBLE))
    text = Page(render(run)).text
    smallest = min(c.metrics["size_bytes"] for each in run.trials for c in each.result.candidates)
    assert "Every student was refused" in text
    assert "size_bytes <= 400000" in text
    assert f"the nearest had {written('size_bytes', smallest)}" in text
    assert "the nearest had" not in text.split("latency_ms <= 2")[1]  # which nobody broke


def test_where_no_student_is_good_enough_it_says_how_near_the_best_came(make_run):
    run = make_run(6, limits=(Limit(metric="accuracy", at_most=False, value=0.999),))
    nearest = max(c.metrics["accuracy"] for each in run.trials for c in each.result.candidates)
    text = Page(render(run)).text
    assert "Nothing that was tried keeps the limits" in text
    assert f"the nearest had {written('accuracy', nearest)}" in text


def test_where_every_trial_failed_it_shows_the_errors(make_run):
    text = Page(render(make_run(3, outcomes=dict.fromkeys(range(3), Outcome.FAILED)))).text
    assert "Every trial failed" in text
    assert "loss is not a number" in text


def test_other_objectives_are_drawn_and_listed(make_run):
    macs = Objective(metric="macs", higher_is_better=False, worst=1e9, best=1e3, log=True)
    accuracy = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
    page = Page(render(make_run(12, objectives=(macs, accuracy), limits=())))
    assert "Accuracy against multiply-adds" in page.text
    assert "Accuracy against latency" in page.text


def test_only_one_objective_makes_a_page(make_run):
    accuracy = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
    assert len(make_run(12, objectives=(accuracy,)).front.members) == 1
    assert "1 of them" in Page(render(make_run(12, objectives=(accuracy,)))).text


def test_values_that_are_no_numbers_do_not_break_the_page(make_run):
    run = make_run(12)
    first = run.front.members[0]
    strange = replace(first, metrics={**first.metrics, "f1": float("nan"), "test_accuracy": float("inf")})
    page = Page(render(replace(run, front=replace(run.front, members=(strange, *run.front.members[1:])))))
    assert "—" in page.text


def test_the_report_is_written_whole_or_not_at_all(make_run, monkeypatch):
    run = make_run(3)
    run.folder.mkdir(parents=True)
    path = write_report(run)
    assert path == run.folder / "report.html"
    before = path.read_text(encoding="utf-8")
    assert before.rstrip().endswith("</html>")
    monkeypatch.setattr("automl.report.page.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_report(run)
    assert [each.name for each in run.folder.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == before


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


def test_only_a_long_table_has_a_box_of_its_own_height():
    assert 'class="scroll"' in table([words("a")], [("", [words("1")])] * 20)
    assert 'class="scroll long"' in table([words("a")], [("", [words("1")])] * 200)


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
    ("seconds", "text"), [(3.25, "3.2 s"), (59.4, "59 s"), (192, "3 min 12 s"), (7500, "2 h 05 min")]
)
def test_time_spans_are_written_for_people(seconds, text):
    assert duration(seconds) == text


def test_a_member_without_its_trial_is_shown_all_the_same(make_run):
    """A front may outlive its trials, such as where only the front was kept."""
    run = make_run(12)
    member: Member = run.front.members[0]
    text = render(replace(run, trials=()))
    assert member.digest in text
