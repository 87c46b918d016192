"""A run that goes on with other limits: nothing that was trained is lost, and nothing is trained twice."""

from pathlib import Path
from typing import Any

import pytest

import automl
from automl.cli import main
from automl.errors import UserError
from automl.run_folder import load_run
from tests.automl.quick_trials import CONFIG, cost, run_quickly
from trials.records import LATENCY_MARGIN, Artefacts, Outcome, Trial, TrialResult

STRICT = CONFIG.replace("[latency_ms <= 9]", "[latency_ms <= 9, accuracy >= 0.999]")


def no_training(trial: Trial, given: Any) -> Any:
    raise AssertionError(f"trial {trial.number} was trained again")


def test_limits_that_were_too_strict_are_loosened_and_nothing_is_trained_again(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config(STRICT)
    assert main(["search", "small.yaml"]) == 1
    assert "accuracy >= 0.999: the nearest student of those that keep the others has accuracy 0." in (
        capsys.readouterr().err
    )
    (folder := Path("loose")).mkdir()
    unlimited = automl.search(config(CONFIG.replace("name: small", f"name: small\nruns: {folder}")))
    config(CONFIG.replace("[latency_ms <= 9]", "[latency_ms <= 9, accuracy >= 0.3]"))
    monkeypatch.setattr("automl.searching.search.trial_on_node", no_training)
    monkeypatch.setattr("automl.searching.reach.measure_untrained", no_training)
    assert main(["search", "small.yaml", "--resume"]) == 0
    assert "limits were latency_ms <= 9, accuracy >= 0.999 and are latency_ms <= 9, accuracy >= 0.3 from now on" in (
        capsys.readouterr().err
    )
    run = load_run("small")
    assert run.finished
    members = [m for m in unlimited.front.members if m.metrics["accuracy"] >= 0.3]
    assert [m.digest for m in run.front.members] == [m.digest for m in members] != []
    assert {m.digest for m in run.front.members} <= {path.name for path in Path("runs/small/students").iterdir()}
    assert "accuracy >= 0.3" in Path("runs/small/config.yaml").read_text()


@pytest.mark.parametrize("metric", ["accuracy", "latency_ms"])
def test_tightened_limits_take_students_from_the_front_and_loosened_ones_bring_them_back(
    config: Any, metric: str
) -> None:
    before = automl.search(config())
    values = [member.metrics[metric] for member in before.front.members]
    assert len(values) > 1
    bound = max(values) if metric == "accuracy" else min(values)
    sign = ">=" if metric == "accuracy" else "<="
    config(CONFIG.replace("[latency_ms <= 9]", f"[{metric} {sign} {bound}]"))
    tight = automl.search("small.yaml", resume=True)
    assert [member.metrics[metric] for member in tight.front.members] == [bound]
    (objective,) = [each for each in tight.front.objectives if each.metric == metric]
    assert objective.worst == bound
    config(CONFIG)
    again = automl.search("small.yaml", resume=True)
    assert (again.front, again.hypervolumes) == (before.front, before.hypervolumes)


def test_limits_that_no_student_keeps_leave_a_run_as_it_was(config: Any) -> None:
    before = automl.search(config())
    kept = Path("runs/small/config.yaml").read_text()
    config(CONFIG.replace("latency_ms <= 9", "latency_ms <= 0.0001"))
    with pytest.raises(UserError, match=r"limits: no student keeps\n  latency_ms <= 0\.0001: the nearest student has"):
        automl.search("small.yaml", resume=True)
    assert Path("runs/small/config.yaml").read_text() == kept
    assert load_run("small") == before


def refuse_wide(trial: Trial, given: Any) -> tuple[TrialResult, Artefacts]:
    """Act as the gate does: nothing above 1 ms, with the margin, is trained."""
    if (candidate := cost(trial)).latency.median_ms * (1 - LATENCY_MARGIN) <= 1:
        return run_quickly(trial, given)
    result = TrialResult(number=trial.number, digest=trial.digest, outcome=Outcome.INFEASIBLE, candidates=(candidate,))
    return result, Artefacts()


def test_what_the_gate_refused_stays_refused_and_is_trained_if_it_is_proposed_again(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = "choices: {depth: [1], layer1.width: [64, 256], activation: [relu], normalisation: [batch], "
    few = CONFIG.replace("space: mlp\n", f"space: mlp\n  {choices}shortcut: [false], dropout: [0.0]}}\n")
    few = few.replace("learning_rate: [0.001, 0.01]", "learning_rate: 0.01")
    monkeypatch.setattr("automl.searching.search.trial_on_node", refuse_wide)
    before = automl.search(config(few.replace("latency_ms <= 9", "latency_ms <= 1")))
    refused = [f.trial.number for f in before.trials if f.result.outcome is Outcome.INFEASIBLE]
    assert 0 < len(refused) < 6
    monkeypatch.setattr("automl.searching.search.trial_on_node", run_quickly)
    config(few.replace("trials: 6", "trials: 12"))
    after = automl.search("small.yaml", resume=True)
    assert f"; {len(refused)} of the trials that were refused before would be trained now" in capsys.readouterr().err
    assert after.trials[:6] == before.trials
    assert {f.result.outcome for f in after.trials[6:]} == {Outcome.TRAINED}
    assert {f.result.digest for f in before.trials if f.trial.number in refused} & {
        f.result.digest for f in after.trials[6:]
    }
