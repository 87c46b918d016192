"""The page about a run: whole, self-contained, safe with strange names, and of use when there is little to show."""

import base64
import gzip
import html
import re
from dataclasses import replace

import pytest
from plotly.offline import get_plotlyjs

from automl.front.objectives import Objective
from automl.front.pareto_front import Member
from automl.report import render, write_report
from automl.report.markup import table, words
from automl.report.plotly_script import packed_plotly
from trials.records import Outcome

EVIL = """<script>alert("x")</script> & 'quoted' $name ${style}"""


def test_the_page_loads_nothing(read_page, make_run):
    page = read_page(render(make_run(12)))
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


def test_plotly_is_in_the_page_once_and_packed(make_run, monkeypatch):
    monkeypatch.setattr("automl.report.page.packed_plotly", packed_plotly)
    text = render(make_run(12))
    (packed,) = re.findall(r'<script type="text/plain" id="plotly">([A-Za-z0-9+/=]+)</script>', text)
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()
    assert len(text) < 0.5 * len(get_plotlyjs())


def test_every_link_leads_somewhere_and_every_figure_has_its_place(page):
    names = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for tag, attributes in page.elements:
        if tag == "a":
            assert attributes["href"][1:] in names
    assert len(page.figures) > 10
    assert set(page.figures) <= names


def test_names_of_the_user_are_shown_and_not_run(read_page, make_run):
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
    plain = read_page(render(make_run(12)))
    assert read_page(text).count("script") == plain.count("script")


def test_before_the_first_trial_the_page_says_so(read_page, make_run):
    page = read_page(render(make_run(0, num_teachers=0, finished=False)))
    assert "No trial has ended yet" in page.text
    assert "This search has no teachers" in page.text
    assert not page.figures


def test_one_trial_is_enough_for_a_page(read_page, make_run):
    page = read_page(render(make_run(1)))
    assert "1 student" in page.text
    assert "It takes 8 trained trials" in page.text


def test_values_that_are_no_numbers_do_not_break_the_page(read_page, make_run):
    run = make_run(12)
    first = run.front.members[0]
    strange = replace(first, metrics={**first.metrics, "f1": float("nan"), "test_accuracy": float("inf")})
    page = read_page(render(replace(run, front=replace(run.front, members=(strange, *run.front.members[1:])))))
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


def test_only_a_long_table_has_a_box_of_its_own_height():
    assert 'class="scroll"' in table([words("a")], [("", [words("1")])] * 20)
    assert 'class="scroll long"' in table([words("a")], [("", [words("1")])] * 200)


def test_a_member_without_its_trial_is_shown_all_the_same(make_run):
    """A front may outlive its trials, such as where only the front was kept."""
    run = make_run(12)
    member: Member = run.front.members[0]
    text = render(replace(run, trials=()))
    assert member.digest in text


def test_only_one_objective_makes_a_page(read_page, make_run):
    accuracy = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
    assert len(make_run(12, objectives=(accuracy,)).front.members) == 1
    assert "1 of them" in read_page(render(make_run(12, objectives=(accuracy,)))).text


def test_other_objectives_are_drawn_and_listed(read_page, make_run):
    macs = Objective(metric="macs", higher_is_better=False, worst=1e9, best=1e3, log=True)
    accuracy = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
    page = read_page(render(make_run(12, objectives=(macs, accuracy), limits=())))
    assert "Accuracy against multiply-adds" in page.text
    assert "Accuracy against latency" in page.text


def test_the_page_says_how_many_students_were_trained_to_their_end(read_page, make_run):
    run = make_run(24)
    trained = run.count(Outcome.TRAINED)
    assert 0 < trained < 24
    assert f"24 students  proposed, {trained} of them distilled from" in read_page(render(run)).text
    whole = replace(run, trials=tuple(f for f in run.trials if f.result.outcome is Outcome.TRAINED))
    assert f"{trained} students  proposed and distilled from" in read_page(render(whole)).text
