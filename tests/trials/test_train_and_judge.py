"""A student trained to be judged: as in a trial, without what ships."""

import math
from dataclasses import replace

import pytest
import torch

from search_spaces import SPACES
from trials.data import READERS, split
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import LatencySettings, Limit, Trial
from trials.run_trial import Setting, run_trial, train_and_judge
from trials.student import normalisation
from trials.tasks import Classification

SPACE = SPACES["mlp"]()
VALUES = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.1}
TRIAL = Trial(
    number=4,
    spec=SPACE.spec({**VALUES, "layer1.width": 16}),
    recipe=Recipe(losses=(LossTerm(name=HARD_LABEL, weight=1.0),), epochs=3, batch_size=64, learning_rate=0.01),
    seed=11,
)


@pytest.fixture(scope="module")
def setting() -> Setting:
    dataset = split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=0)
    return Setting(
        space=SPACE,
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        statistics=normalisation(dataset),
        latency=LatencySettings(warmup_runs=1, min_runs=5, seconds=0.001),
        device="cpu",
    )


def test_it_is_the_student_of_the_trial(setting: Setting) -> None:
    result, _ = run_trial(TRIAL, setting)
    judged = train_and_judge(TRIAL, setting, {"all": setting.dataset.splits["validation"]})
    assert judged.error == ""
    told = result.candidates[0].metrics
    assert judged.metrics["all"]["accuracy"] == told["accuracy"]
    assert judged.metrics["all"]["cross_entropy"] == pytest.approx(told["cross_entropy"], rel=1e-4)
    assert judged == train_and_judge(TRIAL, setting, {"all": setting.dataset.splits["validation"]})


def test_parts_add_up_to_the_whole(setting: Setting) -> None:
    rows = setting.dataset.splits["validation"]
    found = train_and_judge(TRIAL, setting, {"all": rows, "first": rows[:100], "rest": rows[100:]}).metrics
    right = found["first"]["accuracy"] * 100 + found["rest"]["accuracy"] * (len(rows) - 100)
    assert right == pytest.approx(found["all"]["accuracy"] * len(rows))
    assert found["first"]["accuracy"] != found["rest"]["accuracy"]


def test_nothing_is_refused_or_exported(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trials.stages.trace_once", None)
    limited = replace(setting, limits=(Limit(metric="size_bytes", at_most=True, value=1.0),))
    assert train_and_judge(TRIAL, limited, {"few": setting.dataset.splits["validation"][:50]}).metrics["few"]


def test_what_crashes_is_told_and_the_process_is_left_as_it_was(setting: Setting) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    wild = replace(TRIAL, recipe=replace(TRIAL.recipe, optimizer="sgd", learning_rate=1e30, warmup=0.0))
    judged = train_and_judge(wild, replace(setting, threads=2), {})
    assert not judged.metrics
    assert "DivergedError" in judged.error.splitlines()[-1]
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_metrics_that_are_no_numbers_are_an_error(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classification, "evaluate", lambda *_: {"accuracy": math.nan})
    judged = train_and_judge(TRIAL, setting, {"few": setting.dataset.splits["validation"][:50]})
    assert "['accuracy'] that are not finite" in judged.error


def test_a_full_disk_is_not_the_student_s_fault(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trials.stages.build_student", full)
    with pytest.raises(OSError, match="No space left"):
        train_and_judge(TRIAL, setting, {})
