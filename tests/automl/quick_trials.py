"""Trials that take no time, and a search of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from automl.run import Run
from trials.records import Artefacts, Candidate, Latency, Outcome, Trial, TrialResult

CONFIG = """\
name: small
data: {kind: sklearn, name: digits}
student:
  space: mlp
recipe:
  epochs: 2
  batch_size: 64
  learning_rate: [0.001, 0.01]
  losses: {hard_label: {weight: 1.0}}
objectives: [accuracy, latency_ms]
limits: [latency_ms <= 9]
search: {sampler: random, trials: 6, in_flight: 1}
"""


def cost(trial: Trial, *, provisional: bool = True) -> Candidate:
    """Make costs up from the width of the first layer."""
    width = float(trial.spec.values["layer1.width"])
    latency = Latency(
        median_ms=width / 100, low_ms=width / 110, high_ms=width / 90, runs=9, provisional=provisional, device="none"
    )
    metrics = {"latency_ms": latency.median_ms, "size_bytes": 100 * width, "params": width, "macs": width}
    return Candidate(precision="float32", metrics=metrics, latency=latency)


def run_quickly(trial: Trial, given: Any) -> tuple[TrialResult, Artefacts]:
    assert given[1] is None  # There are no teachers.
    candidate = cost(trial)
    accuracy = 1 - 1 / (2 + trial.spec.values["layer1.width"] * trial.recipe.learning_rate)  # type: ignore[operator] # a width is a number
    candidate = replace(candidate, metrics={**candidate.metrics, "accuracy": accuracy})
    result = TrialResult(number=trial.number, digest=trial.digest, outcome=Outcome.TRAINED, candidates=(candidate,))
    return result, Artefacts(files={"model.onnx": json.dumps(dict(trial.spec.values)).encode()})


def measure_quickly(graphs: list[bytes], specs: Any, given: Any) -> list[Latency]:
    del specs, given
    widths = [json.loads(graph)["layer1.width"] for graph in graphs]
    return [
        Latency(median_ms=width / 120, low_ms=0.0, high_ms=1.0, rounds=9, runs=9, provisional=False, device="none")
        for width in widths
    ]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: Any) -> "Any":
    """Give ``config(text)``, which writes small.yaml into the working folder; searches there take no time."""
    monkeypatch.chdir(tmp_path)
    tracker = mock.MagicMock()
    tracker.return_value.ui_hint.return_value = None
    tracker.return_value.close.return_value = ""
    for name, stand_in in {
        "Executor": in_process,
        "Tracker": tracker,
        "_summary": mock.MagicMock(),
        "write_report": mock.MagicMock(),
        "trial_on_node": run_quickly,
    }.items():
        monkeypatch.setattr(f"automl.searching.search.{name}", stand_in)
    monkeypatch.setattr("automl.searching.reach.measure_untrained", lambda trial, setting: (cost(trial),))
    monkeypatch.setattr("automl.searching.finale.measure_on_node", measure_quickly)
    monkeypatch.setattr("automl.searching.finale.judge_on_node", lambda graph, spec, given: {"test_accuracy": 0.5})

    def write(text: str = CONFIG) -> Path:
        Path("small.yaml").write_text(text)
        return Path("small.yaml")

    write()
    return write


def trained(run: Run) -> list[int]:
    assert run.count(Outcome.TRAINED) == len(run.trials)
    return [finished.trial.number for finished in run.trials]
