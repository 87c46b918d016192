"""A trial in rungs: the same student, to the last bit, as in one go."""

import pickle
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from search_spaces import SPACES
from teachers import Batch, Coverage, TeacherEnsemble, TeacherOutputs
from trials import judging, stages
from trials import run_trial as module
from trials.data import READERS, split
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import Artefacts, LatencySettings, Limit, Outcome, Trial, TrialResult
from trials.run_trial import run_rung, run_trial, train_and_judge
from trials.setting import Setting
from trials.student import normalisation
from trials.tasks import Classification

SPACE = SPACES["mlp"]()
VALUES = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.1}
HARD = LossTerm(name=HARD_LABEL, weight=1.0)
RECIPE = Recipe(losses=(HARD,), epochs=4, batch_size=64, learning_rate=0.01)


KD = LossTerm(name="kd", weight=1.0)
LATE = LossTerm(name="kd", weight=1.0, first_epoch=2, warmup_epochs=2)
RECIPES = {
    "sgd": replace(RECIPE, optimizer="sgd"),
    "late and balanced": replace(RECIPE, losses=(HARD, LATE), balance="magnitude"),
    "heads": replace(RECIPE, losses=(HARD, KD), aggregation="mimic_all"),
    "learnt weights": replace(RECIPE, losses=(HARD, KD), weighting="learnt"),
    "learnt adapter": replace(RECIPE, losses=(HARD, LossTerm(name="hint", weight=1.0))),
}


def hear(batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
    """Let two teachers say something about every row."""
    rows_B1 = batch.index.double()[:, None]
    logits_KBC = torch.stack([3 * torch.cos(rows_B1 * k + torch.arange(10.0)) for k in (1, 2)]).float()
    inner = {name: torch.sin(rows_B1 * torch.arange(1.0, 9.0)).float() for name in features}
    return TeacherOutputs(logits=logits_KBC, features=(inner, inner) if features else ())


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def setting() -> Setting:
    dataset = split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=0)
    return Setting(
        space=SPACE,
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        statistics=normalisation(dataset),
        ensemble=TeacherEnsemble(
            {"one": Coverage(), "two": Coverage()}, num_classes=10, num_rows=len(dataset), columns=dataset.columns
        ),
        teachers=hear,
        latency=LatencySettings(warmup_runs=1, min_runs=6, seconds=0.0),
        device="cpu",
    )


def trial_of(recipe: Recipe) -> Trial:
    return Trial(number=5, spec=SPACE.spec({**VALUES, "layer1.width": 16}), recipe=recipe, seed=11)


def in_rungs(trial: Trial, setting: Setting, *epochs: int) -> tuple[list[TrialResult], tuple[TrialResult, Artefacts]]:
    """Run a trial as tasks that may each run on another machine."""
    rungs, underway = [], None
    for epoch in epochs:
        result, underway = run_rung(trial, setting, underway, until_epoch=epoch)
        assert result.error == ""
        underway = pickle.loads(pickle.dumps(underway))
        torch.manual_seed(epoch)  # Another process draws other numbers in between.
        rungs.append(result)
    return rungs, run_trial(trial, setting, underway)


def shares(result: TrialResult) -> list[Any]:
    return [replace(record, seconds=0.0) for record in result.history]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_student_trained_rung_by_rung_is_the_one_trained_in_one_go(setting: Setting, recipe: Recipe) -> None:
    trial = trial_of(recipe)
    whole, files = run_trial(trial, setting)
    assert whole.error == ""
    _, (found, artefacts) = in_rungs(trial, setting, 1, 3)
    assert found.outcome is Outcome.TRAINED
    for name in ("model.safetensors", "model.onnx"):
        assert artefacts.files[name] == files.files[name]
    assert shares(found) == shares(whole)
    told = {name: value for name, value in found.candidates[0].metrics.items() if name != "latency_ms"}
    assert told == {name: value for name, value in whole.candidates[0].metrics.items() if name != "latency_ms"}


def test_a_rung_tells_what_the_student_can_by_then(setting: Setting) -> None:
    trial = trial_of(RECIPES["heads"])
    (first, second), (last, _) = in_rungs(trial, setting, 1, 3)
    assert [result.outcome for result in (first, second, last)] == [Outcome.PRUNED, Outcome.PRUNED, Outcome.TRAINED]
    assert [len(result.history) for result in (first, second, last)] == [1, 3, 4]
    assert 0 < first.seconds < second.seconds < last.seconds
    costs = {"latency_ms", "size_bytes", "params", "macs"}
    for result in (first, second):
        (candidate,) = result.candidates
        assert candidate.metrics.keys() == last.candidates[0].metrics.keys()
        assert {candidate.metrics[cost] == last.candidates[0].metrics[cost] for cost in costs} == {True}
    losses = [result.candidates[0].metrics["cross_entropy"] for result in (first, second, last)]
    assert losses[0] > losses[1] > losses[2]
    # A recipe of one epoch has another schedule, so the rung is held against the same training, cut off.
    _, underway = run_rung(trial, setting, None, until_epoch=1)
    assert underway is not None
    again, _ = run_rung(trial, setting, underway, until_epoch=3)
    assert again.candidates[0].metrics == second.candidates[0].metrics | {
        "latency_ms": again.candidates[0].latency.median_ms
    }


def test_a_rung_at_the_end_judges_as_the_whole_training_does(setting: Setting) -> None:
    trial = trial_of(RECIPE)
    result, _ = run_rung(trial, setting, None, until_epoch=RECIPE.epochs)
    judged = train_and_judge(trial, setting, {"all": setting.dataset.splits["validation"]})
    task = {name: value for name, value in result.candidates[0].metrics.items() if name in judged.metrics["all"]}
    assert task == judged.metrics["all"]


def test_only_the_first_task_of_a_trial_measures_and_traces(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_of(RECIPE)
    _, underway = run_rung(trial, setting, None, until_epoch=1)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("this must not happen")

    monkeypatch.setattr(judging, "measure_latency", never)
    monkeypatch.setattr(stages, "trace_once", never)
    monkeypatch.setattr(module, "gate", never)
    second, underway = run_rung(trial, setting, underway, until_epoch=2)
    assert second.error == ""
    assert run_trial(trial, setting, underway)[0].error == ""


def test_the_gate_refuses_before_the_first_rung(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "distill", None)
    limited = replace(setting, limits=(Limit(metric="size_bytes", at_most=True, value=10.0),))
    result, underway = run_rung(trial_of(RECIPE), limited, None, until_epoch=1)
    assert (result.outcome, underway) == (Outcome.INFEASIBLE, None)
    assert len(result.candidates) == 1


def test_a_training_that_diverges_before_a_rung_fails(setting: Setting) -> None:
    wild = trial_of(replace(RECIPE, optimizer="sgd", learning_rate=1e18, warmup=0.0))
    result, underway = run_rung(wild, setting, None, until_epoch=2)
    assert (result.outcome, underway, result.candidates) == (Outcome.FAILED, None, ())
    assert "DivergedError" in result.error
