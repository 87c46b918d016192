"""What each teacher contributed: from a run to the comparison, its facts in the study, and what is refused."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import automl
from automl.attribution.attribute import attribute
from automl.attribution.contributions import LABEL, Attribution
from automl.cli import main
from automl.cluster.executor import LostWorkError
from automl.errors import UserError, WorkFailed
from automl.run_folder import load_run
from automl.study.journal import RunLock
from trials.records import Artefacts, Candidate, Judgement, Latency, Outcome, Trial, TrialResult

CONFIG = """\
name: halves
data: {kind: sklearn, name: digits, labelled: 0.05}
student:
  space: mlp
  values: &values {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 32}
recipe:
  epochs: 6
  batch_size: 64
  learning_rate: {low: 0.01, high: 0.011}
  losses: {hard_label: {weight: 1.0}, kd: {weight: 2.0, temperature: 2.0}}
  taking_part: {idle: false}
teachers:
  - &teacher
    name: low
    kind: train
    covers: {labels: [0, 1, 2, 3, 4]}
    student: {space: mlp, values: *values}
    recipe: {epochs: 6, batch_size: 32, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}
  - {<<: *teacher, name: high, covers: {labels: [5, 6, 7, 8, 9]}}
  - {<<: *teacher, name: idle, covers: {labels: [0, 9]}}
objectives: [accuracy]
search: {sampler: random, trials: 4, in_flight: 1}
"""
"""Two teachers share the classes out, a third is not listened to; students see labels of a twentieth of the rows."""


def end_at_once(trial: Trial, given: Any) -> tuple[TrialResult, Artefacts]:
    """End the first trial well, the second in an error; refuse all others."""
    latency = Latency(median_ms=1.0, low_ms=1.0, high_ms=1.0, runs=1, provisional=True, device="none")
    metrics = {"latency_ms": 1.0, "size_bytes": 1.0, "params": 1.0, "macs": 1.0, "accuracy": 0.5}
    candidate = Candidate(precision="float32", metrics=metrics, latency=latency)
    ends: dict[int, dict[str, Any]] = {
        0: {"outcome": Outcome.TRAINED, "candidates": (candidate,)},
        1: {"outcome": Outcome.FAILED, "error": "Traceback\nDivergedError: training diverged"},
    }
    end = ends.get(trial.number, {"outcome": Outcome.INFEASIBLE, "candidates": (candidate,)})
    return TrialResult(number=trial.number, digest=trial.digest, **end), Artefacts(files={"model.onnx": b""})


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, in_process: Any) -> Callable[[str], Path]:
    """Give ``searched(text)``: a folder with a run of that config, whose trials took no time; each is made once."""
    made: dict[str, Path] = {}

    def search(text: str) -> Path:
        if text not in made:
            folder = tmp_path_factory.mktemp("searched")
            (folder / "halves.yaml").write_text(text)
            for other in made.values():  # Teachers that were trained there need not be trained again.
                if (other / "runs/.cache").exists():
                    shutil.copytree(other / "runs/.cache", folder / "runs/.cache", dirs_exist_ok=True)
            tracker = mock.MagicMock()
            tracker.return_value.ui_hint.return_value = None
            tracker.return_value.close.return_value = ""
            patches = {"Executor": in_process, "Tracker": tracker, "trial_on_node": end_at_once}
            patches |= {name: mock.MagicMock() for name in ("_summary", "write_report", "measure_front")}
            before = Path.cwd()
            os.chdir(folder)
            try:
                with mock.patch.multiple("automl.searching.search", **patches):
                    automl.search("halves.yaml")
            finally:
                os.chdir(before)
            made[text] = folder
        return made[text]

    return search


@pytest.fixture
def desk(tmp_path: Path, searched: Any, monkeypatch: pytest.MonkeyPatch, in_process: Any) -> Callable[..., Path]:
    """Give ``desk(text)``: the working folder, with a fresh copy of the run of a config; no cluster is started."""
    executors = []

    def keep(**arguments: Any) -> Any:
        executors.append(in_process(**arguments))
        return executors[-1]

    def put(text: str = CONFIG) -> Path:
        shutil.copytree(searched(text), tmp_path, dirs_exist_ok=True)
        return tmp_path / "runs" / "halves"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("automl.attribution.attribute.Executor", keep)
    monkeypatch.setattr("automl.attribution.renewing.Tracker", mock.MagicMock())
    monkeypatch.setattr("automl.report.page.packed_plotly", lambda: "/* plotly */")
    put.executors = executors  # type: ignore[attr-defined] # what ran, for those who ask
    return put


def quickly(trial: Trial, given: Any, rows: Any) -> Judgement:
    """Make up what a student can do: 0.1 for each teacher that is heard, and a little for the seed."""
    setting = given[0]
    heard = len(setting.ensemble.names) - len(trial.recipe.silent) if trial.recipe.needs_teachers else 0
    accuracy = 0.5 + 0.1 * heard + 0.001 * trial.seed
    return Judgement(metrics={name: {"accuracy": accuracy, "accuracy.7": accuracy / 2} for name in rows})


def parts(found: Attribution, teacher: str, by: str) -> dict[str, float]:
    (contribution,) = (each for each in found.contributions if each.without == (teacher,))
    return {name: interval.mean for name, interval in contribution.parts[by].items()}


def test_without_its_only_teacher_a_class_is_lost(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = desk()
    found = automl.attribute("halves", 0, seeds=3)
    assert found.inquiry.heard == ("low", "high")
    assert found.inquiry.silent == ("idle",)
    assert found.num_seeds == 3
    assert all(each.whole.mean > 0.02 for each in found.contributions)
    low, high = parts(found, "low", LABEL), parts(found, "high", LABEL)
    for found_there, home in ((low, range(5)), (high, range(5, 10))):
        at_home = [found_there[str(label)] for label in home]
        abroad = [value for label, value in found_there.items() if int(label) not in home]
        assert sum(at_home) / 5 > 0.1
        assert sum(abroad) / 5 < 0.05
    told = capsys.readouterr().err
    assert "distilling trial 0 again: 12 students to train" in told
    assert re.search(r"\d+ of 12: without high, seed 2: accuracy 0\.\d{4}", told)
    run = load_run("halves")
    assert run.attributions == (found,)
    assert sum(found.inquiry.part_rows[LABEL].values()) == found.inquiry.num_rows == 359
    assert "What each teacher contributed" in (folder / "report.html").read_text()


def test_what_was_trained_is_not_trained_again(
    desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = desk()
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    found = attribute(folder, 0, seeds=2)
    assert [each.whole.mean for each in found.contributions] == pytest.approx([0.1, 0.1, 0.2])
    assert attribute(load_run(folder), 0, seeds=2) == found
    assert attribute(folder, 0, seeds=3).num_seeds == 3
    counts = [sum(name.startswith("retrain") for name in executor.submitted) for executor in desk.executors]
    assert counts == [8, 4]  # Nothing is started where nothing is left to train.
    told = capsys.readouterr().err
    assert f"all students of trial 0 are trained; the report is {folder.resolve() / 'report.html'}" in told
    assert attribute(folder, 0, seeds=2).num_seeds == 3
    (folder / "report.html").unlink()
    assert attribute(folder, 0, seeds=3).num_seeds == 3
    assert (folder / "report.html").exists()
    assert "distilling trial 0 again: 0 students to train" in capsys.readouterr().err


def test_the_report_is_renewed_in_mlflow_where_it_has_the_run(
    desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = desk()
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    tracker = mock.MagicMock()
    tracker.return_value.close.return_value = "MLflow lacks the summary of the front, as it is away"
    monkeypatch.setattr("automl.attribution.renewing.Tracker", tracker)
    attribute(folder, 0, seeds=2)
    tracker.return_value.renew_report.assert_called_once_with((folder / "report.html").read_bytes())
    assert "MLflow lacks the summary of the front, as it is away" in capsys.readouterr().err
    attribute(folder, 0, seeds=3)  # Resuming the search sends it, with all that MLflow lacks.
    assert tracker.return_value.renew_report.call_count == 1


def test_seeds_are_others_than_the_trial_s_and_the_same_for_all(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Trial] = []

    def keep(trial: Trial, given: Any, rows: Any) -> Judgement:
        asked.append(trial)
        return quickly(trial, given, rows)

    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", keep)
    attribute(desk(), 0, seeds=2)
    (trial,) = (each.trial for each in load_run("halves").trials if each.trial.number == 0)
    assert [each.seed - trial.seed for each in asked] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert {each.spec for each in asked} == {trial.spec}
    assert asked[0].recipe == trial.recipe
    # No teacher covers a part of the rows only, so there are as many without one; labels are those of a twentieth.
    assert [each.recipe.epochs for each in asked[:3]] == [trial.recipe.epochs] * 3
    assert asked[3].recipe.epochs == pytest.approx(20 * trial.recipe.epochs, rel=0.05)


def test_it_is_typed_and_shown(desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    desk()
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    assert main(["attribute", "runs/halves", "0", "--seeds", "2"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^ low +\+0\.1000 +\+0\.[01]\d+ to \+0\.1\d+ +helps", shown, re.MULTILINE)
    assert re.search(r"^ all 2 together +\+0\.2000", shown, re.MULTILINE)
    assert re.search(r"^ 7 +\+0\.050 ± 0\.000\*", shown, re.MULTILINE)
    assert "Trial 0, distilled again from all its teachers, reaches accuracy 0.7015" in shown
    assert "idle did not take part in this trial, and contributed nothing." in shown


def test_the_cache_beside_the_run_is_used_from_anywhere(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk()
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    attribute(folder, 0, seeds=2)
    assert not list(elsewhere.iterdir())


def test_teachers_outputs_that_are_gone_are_made_again(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = desk()
    shutil.rmtree(folder.parent / ".cache" / "outputs")
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    attribute(folder, 0, seeds=2)
    assert any(name.startswith("answer") or "teacher" in name for name in desk.executors[0].submitted)


def failing(*failed: tuple[int, frozenset[str]]) -> Callable[..., Judgement]:
    def run(trial: Trial, given: Any, rows: Any) -> Judgement:
        if (trial.seed, trial.recipe.silent) in failed:
            return Judgement(error="Traceback\nDivergedError: training diverged")
        return quickly(trial, given, rows)

    return run


def test_a_student_that_fails_is_told_left_out_and_tried_again_next_time(
    desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = desk()
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", failing((2, frozenset({"idle", "low"}))))
    found = attribute(folder, 0, seeds=3)
    assert [each.whole.num_seeds for each in found.contributions] == [2, 3, 3]
    assert "without low, seed 2 failed, and is left out: DivergedError: training diverged" in capsys.readouterr().err
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    assert [each.whole.num_seeds for each in attribute(folder, 0, seeds=3).contributions] == [3, 3, 3]


def test_where_all_fail_the_work_failed(
    desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk()
    monkeypatch.setattr(
        "automl.attribution.retraining.retrain_on_node", lambda *_: Judgement(error="ValueError: no good")
    )
    assert main(["attribute", "halves", "0", "--seeds", "2"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == "too few students could be trained to compare any; the last one failed: ValueError: no good"


def test_a_process_that_dies_is_started_again_a_few_times(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = iter(range(2))

    def die(trial: Trial, given: Any, rows: Any) -> Judgement:
        if next(deaths, None) is not None:
            raise LostWorkError("its process died")
        return quickly(trial, given, rows)

    folder = desk()
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", die)
    assert attribute(folder, 0, seeds=2).num_seeds == 2
    shutil.rmtree(folder)
    folder = desk()

    def always(*_: Any) -> Judgement:
        raise LostWorkError("its process died")

    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", always)
    with pytest.raises(WorkFailed, match=r"the last one failed: its process died \(tried 3 times\)"):
        attribute(folder, 0, seeds=2)


def test_ctrl_c_keeps_what_is_trained_and_says_how_to_go_on(
    desk: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk()
    started: list[int] = []

    def interrupted(trial: Trial, given: Any, rows: Any) -> Judgement:
        started.append(trial.seed)
        if len(started) == 4:
            raise KeyboardInterrupt
        return quickly(trial, given, rows)

    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", interrupted)
    assert main(["attribute", "halves", "0", "--seeds", "2"]) == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1] == "stopped; go on with: automl attribute halves 0 --seeds 2"
    assert load_run("halves").attributions == ()
    with RunLock(Path("runs/halves")):  # It is free again.
        pass
    assert main(["attribute", "halves", "0", "--seeds", "2"]) == 0
    assert len(started) == 4 + 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["halves", "knee"], "TRIAL: expected the number of a trial, such as 17, got 'knee'"),
        (["halves", "9"], "runs/halves: the run has no finished trial 9; trained trials are 0"),
        (
            ["halves", "1"],
            "runs/halves: trial 1 failed (DivergedError: training diverged), so that there is no student",
        ),
        (["halves", "2"], "runs/halves: trial 2 was refused before training; trained trials are 0"),
        (["halves", "0", "--seeds", "1"], "--seeds: expected at least 2, since one tells nothing of chance, got 1"),
        (["nowhere", "0"], "expected the folder of a run, its name or its MLflow run id, got 'nowhere'"),
    ],
)
def test_mistakes_are_told(desk: Any, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    desk()
    assert main(["attribute", *words]) == 2
    assert message in capsys.readouterr().err
    assert not desk.executors


def test_one_command_at_a_time_works_on_a_run(desk: Any) -> None:
    with RunLock(desk()), pytest.raises(UserError, match="a search is running on this run"):
        attribute("halves", 0)


def test_a_search_without_teachers_has_nobody_to_leave_out(desk: Any) -> None:
    text = CONFIG[: CONFIG.index("teachers:")] + CONFIG[CONFIG.index("objectives:") :]
    text = text.replace(
        "{hard_label: {weight: 1.0}, kd: {weight: 2.0, temperature: 2.0}}", "{hard_label: {weight: 1.0}}"
    )
    desk(text.replace("  taking_part: {idle: false}\n", ""))
    with pytest.raises(UserError, match="teachers: this search has no teachers, so that nobody could be left out"):
        attribute("halves", 0)


def test_a_trial_that_listened_to_nobody_is_refused(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A search may choose so; this one always does, as configs of earlier versions could.
    monkeypatch.setattr("automl.config.crosschecks._silent", lambda config: iter(()))
    desk(CONFIG.replace("{idle: false}", "{low: false, high: false, idle: false}"))
    with pytest.raises(UserError, match="trial 0 listened to no teacher"):
        attribute("halves", 0)


def test_teachers_that_the_aggregation_needs_are_named_with_the_reason(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CONFIG.replace("  taking_part", "  aggregation: concatenated_logits\n  taking_part")
    folder = desk(text)
    monkeypatch.setattr("automl.attribution.retraining.retrain_on_node", quickly)
    found = attribute(folder, 0, seeds=2)
    assert set(found.inquiry.needed) == {"low", "high"}
    assert "nobody knows classes 5, 6, 7, 8, 9" in found.inquiry.needed["high"]
    assert [each.without for each in found.contributions] == [("low", "high")]


def test_without_labels_the_only_teachers_cannot_be_left_out(desk: Any) -> None:
    text = CONFIG.replace("  taking_part", "  aggregation: concatenated_logits\n  taking_part")
    desk(text.replace("hard_label: {weight: 1.0}, kd: {weight: 2.0", "kd: {weight: 2.0"))
    with pytest.raises(
        UserError, match="trial 0 cannot be distilled without any of its teachers\n  without low: "
    ) as told:
        attribute("halves", 0)
    assert "without low and high: nothing is left to learn from" in str(told.value)
