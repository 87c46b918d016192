"""A batch that holds all rows is told, and an epoch of one step is forecast as one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl.check import check
from automl.check.timing import num_steps
from automl.config import load_config
from automl.preparation.prepare import prepare
from automl.searching.batch_check import oversized_batch
from search_spaces import sample

CONFIG = """\
name: small
data: {kind: sklearn, name: digits, labelled: 0.2}
student: {space: mlp, choices: {depth: [1], layer1.width: [16]}}
recipe: {epochs: 3, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}, batch_size: SIZE}
objectives: [accuracy, size_bytes]
latency: {warmup_runs: 1, min_runs: 5, seconds: 0.01}
search: {trials: 2}
"""


def written(folder: Path, size: str) -> Path:
    path = folder / "small.yaml"
    path.write_text(CONFIG.replace("SIZE", size))
    return path


@pytest.mark.parametrize("size", ["217", "[64, 217]", "{low: 32, high: 217}"])
def test_a_batch_of_more_rows_than_teach_anything_is_told_with_its_place(tmp_path: Path, size: str) -> None:
    path = written(tmp_path, size)
    told = oversized_batch(prepare(load_config(path)))
    assert told == (
        f"{path}:4:79: recipe.batch_size: a batch of 217 is more than the 216 training rows that teach anything, so "
        "that an epoch is a single step; write at most 54, or raise epochs"
    )


def test_a_batch_of_all_rows_is_taken(tmp_path: Path) -> None:
    assert oversized_batch(prepare(load_config(written(tmp_path, "216")))) == ""


TAUGHT = (
    CONFIG.replace("losses: {", "losses: {kd: {weight: 1.0}, ")
    + """
teachers: [{name: left, kind: train, covers: {column: style, values: [left]}, student: {space: mlp, values: {depth: 1,
  activation: relu, normalisation: none, shortcut: false, dropout: 0.0, layer1.width: 8}},
  recipe: {epochs: 1, batch_size: 32, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}}]
"""
)


def test_rows_that_only_a_teacher_marks_count(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(TAUGHT.replace("SIZE", "900"))
    prepared = prepare(load_config(path))
    dataset = prepared.dataset
    train = dataset.splits["train"]
    marked = (dataset.columns["style"][train] == "left") | dataset.labelled[train]
    assert f"a batch of 900 is more than the {marked.sum()} training rows" in oversized_batch(prepared)
    path.write_text(TAUGHT.replace("SIZE", str(marked.sum())))
    assert oversized_batch(prepare(load_config(path))) == ""


def test_check_notes_it_and_forecasts_one_step_an_epoch(tmp_path: Path) -> None:
    report = check(written(tmp_path, "5000"))
    assert any("a batch of 5,000 is more than the 216 training rows" in note for note in report.notes)
    assert 0 < report.forecast.training_seconds < 2
    assert " 0.0 s to train" not in str(report.__rich__())


@pytest.mark.parametrize(("batch_size", "steps"), [(5000, 3), (216, 3), (64, 9), (1, 648), (2, 324)])
def test_steps_are_counted_as_training_takes_them(tmp_path: Path, batch_size: int, steps: int) -> None:
    prepared = prepare(load_config(written(tmp_path, "64")))
    trial = prepared.trial(0, sample(prepared.choices, np.random.default_rng(0)))
    trial = replace(trial, recipe=replace(trial.recipe, batch_size=batch_size))
    assert num_steps(trial, prepared.setting) == steps
