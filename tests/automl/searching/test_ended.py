"""A search that has ended is gone on with in no time, unless there is something to do."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import automl
import automl.searching.search
from automl.cli import main
from automl.run_folder import load_run
from tests.automl.quick_trials import CONFIG, trained


@pytest.fixture
def ended(config: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Search to the end; then nothing may be read or started, but by ``search.prepare``, which counts."""
    monkeypatch.setattr(
        "automl.searching.search.write_report", lambda run: (run.folder / "report.html").write_text("page")
    )
    automl.search(config())
    prepare = mock.MagicMock(side_effect=automl.searching.search.prepare)
    monkeypatch.setattr("automl.searching.search.prepare", prepare)
    return prepare


def test_nothing_is_done_where_nothing_is_left(ended: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before = load_run("small")
    capsys.readouterr()
    assert automl.search("small.yaml", resume=True) == before
    assert main(["search", "small.yaml", "--resume", "--trials", "5"]) == 0
    ended.assert_not_called()
    told = capsys.readouterr().err
    assert "the run runs/small has ended, and nothing is left to do: 6 trials were asked for; --trials N asks" in told
    assert load_run("small") == before


def test_more_trials_are_made(ended: Any) -> None:
    assert trained(automl.search("small.yaml", resume=True, trials=8)) == list(range(8))
    ended.assert_called_once()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[latency_ms <= 9]", "[latency_ms <= 8]"),
        ("trials: 6", "minutes: 0.01, stall: {trials: 50}"),
        ("search:", "tracking: {experiment: other}\nsearch:"),
    ],
)
def test_a_config_that_asks_for_something_gets_it(ended: Any, config: Any, old: str, new: str) -> None:
    config(CONFIG.replace(old, new))
    automl.search("small.yaml", resume=True)
    ended.assert_called_once()


def test_the_stop_rule_reads_the_course_of_the_run(ended: Any, config: Any) -> None:
    config(CONFIG.replace("trials: 6", "trials: 60, stall: {trials: 1, growth: 1.0}"))
    assert trained(automl.search("small.yaml", resume=True)) == list(range(6))
    ended.assert_not_called()


def test_a_report_that_is_gone_is_written_again(ended: Any) -> None:
    Path("runs/small/report.html").unlink()
    automl.search("small.yaml", resume=True)
    ended.assert_called_once()
    assert Path("runs/small/report.html").exists()


def test_what_mlflow_lacks_is_sent(ended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        away = mock.MagicMock()
        away.return_value.ui_hint.return_value = None
        away.return_value.close.return_value = "MLflow lacks 2 of 7 trials"
        patched.setattr("automl.searching.search.Tracker", away)
        automl.search("small.yaml", resume=True, trials=7)
    assert ended.call_count == 1
    automl.search("small.yaml", resume=True, trials=7)
    assert ended.call_count == 2
    automl.search("small.yaml", resume=True, trials=7)
    assert ended.call_count == 2


def test_a_run_that_was_stopped_is_gone_on_with(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("automl.searching.search.measure_front", mock.MagicMock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            automl.search(config())
    assert automl.search("small.yaml", resume=True).finished


def test_an_empty_front_fails_again(config: Any, ended: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config(CONFIG.replace("[latency_ms <= 9]", "[accuracy >= 0.9999]"))
    assert main(["search", "small.yaml", "--resume"]) == 1
    assert main(["search", "small.yaml", "--resume"]) == 1
    assert ended.call_count == 1
    assert "no student keeps the limits (accuracy >= 0.9999)" in capsys.readouterr().err.splitlines()[-3]
