"""From a config to a run: what a search and the distilling of one student leave behind."""

import re
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import automl
from automl.check import check
from automl.errors import UserError
from automl.export import export
from automl.predicting.predict import predict
from automl.searching.search import distill
from trials.records import Outcome

FIXED = """
name: fixed
runs: {runs}
data: {{kind: sklearn, name: digits}}
student:
  space: mlp
  values: {{depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 32}}
recipe: {{epochs: 2, batch_size: 64, learning_rate: {rate}, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [accuracy, size_bytes]
latency: {{warmup_runs: 2, min_runs: 20, seconds: 0.01}}
{more}
"""


def written(tmp_path: Path, *, rate: str = "0.01", more: str = "") -> Path:
    path = tmp_path / "fixed.yaml"
    path.write_text(FIXED.format(runs=tmp_path / "runs", rate=rate, more=more))
    return path


@pytest.fixture
def without_servers(in_process: Any) -> Any:
    with (
        mock.patch("automl.searching.search.Executor", in_process),
        mock.patch("automl.searching.search.Tracker") as tracker,
        mock.patch("automl.searching.search._summary"),
    ):
        tracker.return_value.ui_hint.return_value = None
        tracker.return_value.close.return_value = ""
        yield


def test_distill_trains_one_student_and_leaves_a_whole_run(tmp_path: Path, without_servers: Any) -> None:
    run = distill(written(tmp_path))
    assert run.count(Outcome.TRAINED) == len(run.trials) == 1
    (member,) = run.front.members
    assert member.metrics["accuracy"] > 0.5
    assert not member.latency.provisional
    assert "test_accuracy" in member.metrics
    assert (run.folder / "students" / member.digest / "model.onnx").is_file()
    assert (run.folder / "report.html").is_file()


def test_distill_is_there_from_python() -> None:
    assert automl.distill is distill
    assert "distill" in automl.__all__


def test_distilling_that_was_stopped_goes_on_by_what_its_refusal_says(tmp_path: Path, without_servers: Any) -> None:
    path = written(tmp_path, more="search: {trials: 5}")
    with (
        mock.patch("automl.searching.search.measure_front", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        distill(path)
    with pytest.raises(UserError, match=f"exists; type `automl search {path} --resume --trials 1` to go on with it"):
        distill(path)
    run = automl.search(path, resume=True, trials=1)
    assert run.finished
    assert len(run.trials) == 1


def test_check_of_a_fixed_student_speaks_of_distilling(tmp_path: Path) -> None:
    path = written(tmp_path)
    report = check(path)
    lines = report.__rich__().plain.splitlines()
    assert lines[0] == f"{path}: no mistakes found; what `automl distill` would do for 'fixed':"
    assert lines[-1].split(maxsplit=1) == ["next", f"automl distill {path}"]
    forecast = "\n".join(lines)
    assert "  1 trial: " in forecast
    assert "time: about" in forecast
    assert not any(word in forecast for word in ("at a time", "front", "search"))


def test_distill_refuses_what_is_to_be_searched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"recipe: distill trains once; give one value each for recipe\.learning_rate"):
        distill(written(tmp_path, rate="[0.01, 0.02]", more="search: {trials: 2}"))
    with pytest.raises(UserError, match=r"recipe: distill trains once"):  # Not that nothing says when to stop.
        distill(written(tmp_path, rate="[0.01, 0.02]"))
    path = written(tmp_path, more="search: {trials: 2}")
    path.write_text(path.read_text().replace("values: {depth: 1,", "choices: {depth: [1, 2],"))
    with pytest.raises(
        UserError,
        match=r"student: distill trains one fixed student; give student\.values, one for each choice of the space "
        r"'mlp' \(depth, activation, normalisation, \.\.\.\)",
    ):
        distill(path)


FACTORY = """
from torch import nn


def small(num_classes, *, width):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, num_classes))
"""
BY_FACTORY = "{space: factory, options: {factory: 'given_student:small', arguments: {width: 24}}}"
BY_CONFIG = (
    "{space: transformers, options: {model: vit, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, "
    "intermediate_size: 64, patch_size: 2}}"
)


@pytest.mark.parametrize("student", [BY_FACTORY, BY_CONFIG], ids=["factory", "transformers"])
def test_a_given_student_goes_from_training_to_its_answers(
    student: str, tmp_path: Path, without_servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "given_student.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    path = written(tmp_path, more="precisions: [float32, int8]")
    path.write_text(re.sub(r"student:\n.*\n.*values: .*", f"student: {student}", path.read_text()))
    run = distill(path)
    assert run.count(Outcome.TRAINED) == len(run.trials) == 1
    exported = export(run, pick="best", to=tmp_path / "student")
    assert set(exported.parities) == {"float32", "int8"}
    assert all(parity.holds for parity in exported.parities.values())
    np.save(tmp_path / "rows.npy", np.full((2, 1, 8, 8), 3.0))
    answers = predict(tmp_path / "student", tmp_path / "rows.npy")
    assert len(answers) == 2
    card = (tmp_path / "student" / "README.md").read_text()
    assert "given_student:small" in card or "hidden_size 32" in card


def test_a_search_in_which_nothing_varies_trains_once(tmp_path: Path, without_servers: Any) -> None:
    run = automl.search(written(tmp_path))
    assert len(run.trials) == 1
