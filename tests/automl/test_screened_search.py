"""A small search whose candidates are ordered by a proxy, with students that are trained for real."""

from pathlib import Path
from unittest import mock

import pytest

from automl.check import check
from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import prepare
from automl.proxies import screening
from automl.proxies.screening import require_proxies
from automl.run import ProxyUse, Run
from automl.run_folder import load_run
from automl.searching.search import search
from trials.records import Outcome

CONFIG = """
name: {name}
runs: {runs}
data: {{kind: sklearn, name: digits}}
student:
  space: mlp
  choices: {{depth: [1], activation: [relu], normalisation: [batch], shortcut: [false], dropout: [0.1],
             layer1.width: [16, 24, 32]}}
recipe:
  epochs: 1
  batch_size: 128
  learning_rate: {{low: 0.001, high: 0.03, log: true}}
  losses: {{hard_label: {{weight: 1.0}}, kd: {{weight: 1.0}}}}
teachers:
  - name: left
    kind: train
    covers: {{column: style, values: [left]}}
    student:
      space: mlp
      values: {{depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 16}}
    recipe: {{epochs: 2, batch_size: 64, learning_rate: 0.01, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [accuracy, size_bytes]
latency: {{warmup_runs: 1, min_runs: 6, seconds: 0.001}}
search: {{sampler: tpe, trials: 5, in_flight: 1, proxy: {proxy}}}
"""
PROXY = "{name: relations, candidates: 3, followed: [naswot]}"


def written(folder: Path, name: str, proxy: str = PROXY) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(CONFIG.format(name=name, runs=folder / "runs", proxy=proxy))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screened")


@pytest.fixture(scope="module", autouse=True)
def _in_process(in_process: type) -> object:
    with (
        mock.patch("automl.searching.search.Executor", in_process),
        mock.patch("automl.searching.search.Tracker") as tracker,
        mock.patch("automl.searching.search._summary"),
        mock.patch("automl.searching.search.measure_front"),
        mock.patch("automl.proxies.judge.JUDGED_FROM", 3),
        mock.patch.object(screening, "REFERENCES", 8),
    ):
        tracker.return_value.ui_hint.return_value = None
        tracker.return_value.close.return_value = ""
        yield


@pytest.fixture(scope="module")
def whole(folder: Path) -> Run:
    return search(written(folder, "whole"))


def course_of(run: Run) -> list[tuple[object, ...]]:
    found = []
    for each in run.trials:
        metrics = each.result.candidates[0].metrics
        found.append((each.result.digest, metrics["accuracy"], metrics["size_bytes"], dict(each.proxies)))
    return found


def test_each_trained_student_has_its_scores(whole: Run) -> None:
    assert whole.count(Outcome.TRAINED) == 5
    for finished in whole.trials:
        assert list(finished.proxies) == ["params", "relations", "naswot"]
        assert finished.proxies["params"] == finished.result.candidates[0].metrics["params"]
        assert -4 <= finished.proxies["relations"] < 0
    assert whole.proxy == ProxyUse(name="relations", candidates=3, followed=("naswot",))
    assert load_run(whole.folder).trials == whole.trials


def test_the_report_says_that_few_students_do_not_show_a_lead(whole: Run) -> None:
    page = (whole.folder / "report.html").read_text()
    assert '<section id="proxies">' in page
    assert "The proxy is off." in page
    assert "relations is off, since it is not shown to beat params: over 3 trained students" in page


def test_a_resumed_search_ends_as_an_undisturbed_one(whole: Run, folder: Path) -> None:
    path = written(folder, "stopped")
    for trials in (2, 4, 5):  # Before the proxy is judged, after, and to the end.
        run = search(path, resume=trials > 2, trials=trials)
    assert course_of(run) == course_of(whole)


def test_a_proxy_that_is_followed_alone_changes_no_proposal(folder: Path) -> None:
    plain = search(written(folder, "plain", "null"), trials=3)
    assert plain.proxy is None
    assert not any(finished.proxies for finished in plain.trials)
    followed = search(written(folder, "followed", "{name: naswot, candidates: 1}"), trials=3)
    assert [each.result.digest for each in followed.trials] == [each.result.digest for each in plain.trials]
    assert all(finished.proxies.keys() == {"params", "naswot"} for finished in followed.trials)
    assert "followed, and ordered nothing" in (followed.folder / "report.html").read_text()


def test_check_tells_the_price(folder: Path) -> None:
    report = check(written(folder, "checked"))
    assert report.forecast.proxy_seconds > 0
    assert "to score its candidates, in the controller" in str(report.__rich__())
    assert check(written(folder, "checked", "null")).forecast.proxy_seconds == 0


def test_a_proxy_that_no_student_can_have_is_refused_with_its_place(folder: Path) -> None:
    prepared = prepare(load_config(written(folder, "refused", "relations")))
    require_proxies(prepared)
    with (
        mock.patch.object(screening, "Scorer", wraps=screening.Scorer) as scorer,
        pytest.raises(
            UserError, match=r"search.proxy.name: no student of this search has a score by 'relations': none"
        ),
    ):
        scorer.return_value.require.side_effect = ValueError("none of them")
        scorer.side_effect = None
        require_proxies(prepared)
