"""A search that starts from the trials of an earlier one."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import automl
from automl.check import check
from automl.errors import UserError
from automl.front.objectives import Objective
from automl.front.pareto_front import Member
from automl.report.warm_start import warm_start_part
from automl.run import Run
from automl.run_folder import load_run
from automl.tracking.summary import summary_row
from automl.tracking.tables import note
from automl.transfer.take_over import best_spread
from search_spaces import SearchSpace, mlp
from tests.automl.quick_trials import CONFIG, run_quickly
from trials.records import Latency, Limit, Trial

LATER = CONFIG.replace("name: small", "name: later")


def warm(section: str, text: str = LATER, **changes: str) -> str:
    text = text.replace("in_flight: 1}", f"in_flight: 1, warm_start: {section}}}")
    for old, new in changes.items():
        text = text.replace(old.replace("_", " "), new)
    return text


class Counted:
    """Trains quickly and counts the trials."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, trial: Trial, given: Any) -> Any:
        self.numbers.append(trial.number)
        return run_quickly(trial, given)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch, config: Any) -> Counted:
    del config  # Its stand-ins come first.
    counted = Counted()
    monkeypatch.setattr("automl.searching.search.trial_on_node", counted)
    return counted


def told(run: Run) -> str:
    assert run.warm_start is not None
    return run.warm_start.sentence()


def test_where_all_is_the_same_the_front_is_taken_over_and_nothing_is_trained_for_it(
    config: Any, count: Counted
) -> None:
    before = automl.search(config())
    count.numbers.clear()
    run = automl.search(config(warm("small")))
    front = {member.digest: member for member in before.front.members}
    taken = len(front)
    assert 1 < taken < 6
    assert told(run) == (
        f"{taken} students of runs/small are tried first; their results are known, and nothing is trained for them"
    )
    assert {finished.result.digest for finished in run.trials[:taken]} == set(front)
    assert count.numbers == list(range(taken, 6))
    for finished in run.trials[:taken]:
        assert finished.result.candidates[0].metrics["accuracy"] == front[finished.result.digest].metrics["accuracy"]
    assert run.hypervolumes[-1] >= before.hypervolumes[-1]
    for member in run.front.members:
        assert (run.folder / "students" / member.digest / "model.onnx").is_file()


def test_files_of_those_that_are_beaten_are_removed_again(config: Any, count: Counted) -> None:
    automl.search(config())
    run = automl.search(config(warm("small")))
    assert {path.name for path in (run.folder / "students").iterdir()} >= {m.digest for m in run.front.members}
    assert all("." not in path.name for path in (run.folder / "students").iterdir())


def test_other_recipes_are_trained_anew(config: Any, count: Counted) -> None:
    before = automl.search(config())
    count.numbers.clear()
    run = automl.search(config(warm("small", epochs__2="epochs: 3").replace("epochs: 2", "epochs: 3")))
    assert count.numbers == list(range(6))
    assert told(run).endswith("they are trained anew, since that run differs in recipe")
    numbers = [earlier.trial for earlier in run.warm_start.first]
    assert sorted(numbers) == sorted(member.trial for member in before.front.members)
    for finished, number in zip(run.trials, numbers, strict=False):
        assert dict(finished.values) == dict(before.trials[number].values)


def test_what_the_run_has_not_is_drawn_and_numbers_come_into_range(config: Any, count: Counted) -> None:
    automl.search(config())
    text = warm("{run: small, students: 2}").replace("[0.001, 0.01]", "{low: 0.002, high: 0.005}")
    text = text.replace("losses: {hard_label: {weight: 1.0}}", "losses: {hard_label: {weight: 1.0}}\n  balance: [none]")
    run = automl.search(config(text.replace("space: mlp", "space: mlp\n  choices: {activation: [hardswish]}")))
    assert told(run).startswith("2 students of runs/small are tried first")
    assert "recipe.learning_rate (2) brought into range" in told(run)
    for finished in run.trials:
        assert 0.002 <= float(finished.values["recipe.learning_rate"]) <= 0.005
        assert finished.values["activation"] == "hardswish"


def test_another_space_gives_its_recipe_alone(config: Any, count: Counted) -> None:
    automl.search(config())
    text = warm("small").replace("space: mlp", "space: tests.automl.transfer.test_transfer:widths")
    run = automl.search(config(text))
    assert "layer1.width" in told(run).split(" drawn")[0]
    assert "recipe.learning_rate" not in told(run)


def widths() -> SearchSpace:
    """Give a space of its own whose choices have the names of another's."""
    return replace(mlp(), name="widths")


def test_a_search_that_is_stopped_goes_on_alike_although_the_earlier_run_is_gone(
    config: Any, count: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    automl.search(config())
    whole = automl.search(config(warm("small", CONFIG.replace("name: small", "name: whole"))))
    taken = len(whole.warm_start.first)

    def stopping(trial: Trial, given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("automl.searching.search.trial_on_node", stopping)
    with pytest.raises(KeyboardInterrupt):
        automl.search(config(warm("small")))
    assert len(load_run("later").trials) == taken
    shutil.rmtree("runs/small")
    monkeypatch.setattr("automl.searching.search.trial_on_node", count)
    run = automl.search("small.yaml", resume=True)
    assert [f.values for f in run.trials] == [f.values for f in whole.trials]
    assert [m.digest for m in run.front.members] == [m.digest for m in whole.front.members]


def test_a_search_that_is_stopped_among_the_first_students_trains_the_others_of_them(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    automl.search(config())
    longer = LATER.replace("epochs: 2", "epochs: 3")
    whole = automl.search(config(warm("small", longer.replace("name: later", "name: whole"))))
    assert len(whole.warm_start.first) > 1

    def stopping(trial: Trial, given: Any) -> Any:
        if trial.number == 1:
            raise KeyboardInterrupt
        return run_quickly(trial, given)

    monkeypatch.setattr("automl.searching.search.trial_on_node", stopping)
    with pytest.raises(KeyboardInterrupt):
        automl.search(config(warm("small", longer)))
    assert len(load_run("later").trials) == 1
    monkeypatch.setattr("automl.searching.search.trial_on_node", run_quickly)
    run = automl.search("small.yaml", resume=True)
    assert run.warm_start is not None and run.warm_start.first == whole.warm_start.first
    assert [f.values for f in run.trials] == [f.values for f in whole.trials]
    assert [m.digest for m in run.front.members] == [m.digest for m in whole.front.members]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("nowhere", r"search\.warm_start: expected the folder of a run, its name or its MLflow run id, got 'nowhere'"),
        ("later", r"search\.warm_start: a search cannot start from itself; name an earlier run"),
        ("{run: small, students: 0}", r"students: .*at least 1, got 0"),
    ],
)
def test_a_run_that_is_not_there_is_told_before_anything_is_written(config: Any, section: str, message: str) -> None:
    automl.search(config())
    path = config(warm(section))
    with pytest.raises(UserError, match=message):
        check(path)
    with pytest.raises(UserError, match=message):
        automl.search(path)
    assert not Path("runs/later").exists()


def test_a_search_does_not_start_from_itself(config: Any) -> None:
    automl.search(config())
    text = CONFIG.replace("in_flight: 1}", "in_flight: 1, warm_start: runs/small}")
    for named in ("small", "runs/small"):
        path = config(CONFIG.replace("in_flight: 1}", f"in_flight: 1, warm_start: {named}}}"))
        Path("runs/small").rename("kept")
        with pytest.raises(UserError, match=r"search\.warm_start: a search cannot start from itself"):
            automl.search(path)
        Path("kept").rename("runs/small")
    with pytest.raises(UserError, match="the search has begun without it"):
        automl.search(config(text), resume=True)


def test_the_start_of_a_search_cannot_change(config: Any, count: Counted) -> None:
    automl.search(config())
    automl.search(config(warm("small")))
    more = LATER.replace("trials: 6", "trials: 9")
    with pytest.raises(UserError, match=r"search\.warm_start: the search began with warm_start 'small'"):
        automl.search(config(more), resume=True)


def test_a_run_without_what_is_needed_is_refused(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(trial: Trial, given: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr("automl.searching.search.trial_on_node", failing)
    with pytest.raises(automl.errors.WorkFailed):
        automl.search(config())
    with pytest.raises(UserError, match=r"search\.warm_start: the run runs/small has no trained student to start from"):
        automl.search(config(warm("small")))
    assert not Path("runs/later").exists()


def test_a_run_that_measured_something_else_is_refused(config: Any) -> None:
    automl.search(config())
    text = warm("small").replace("objectives: [accuracy,", "objectives: [macro_f1,")
    with pytest.raises(UserError, match=r"warm_start: the run runs/small did not measure macro_f1"):
        automl.search(config(text))


def test_a_run_of_which_nothing_can_be_taken_is_refused(config: Any) -> None:
    automl.search(config())
    text = warm("small").replace("space: mlp", "space: tests.automl.transfer.test_transfer:widths")
    text = text.replace("[0.001, 0.01]", "0.01")
    with pytest.raises(UserError, match=r"nothing can be taken .* space 'mlp', these of 'widths', and no choice here"):
        automl.search(config(text))


OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0),
    Objective(metric="params", higher_is_better=False, worst=1.0, best=0.0),
)
LATENCY = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=10, provisional=True, device="none")


def member(trial: int, accuracy: float, params: float) -> Member:
    metrics = {"accuracy": accuracy, "params": params}
    return Member(trial=trial, digest=str(trial), precision="float32", metrics=metrics, latency=LATENCY)


def test_the_best_of_a_front_come_in_the_order_of_what_they_add() -> None:
    members = [
        member(0, 0.9, 0.9),
        member(1, 0.7, 0.3),
        member(2, 0.2, 0.05),
        member(3, 0.6, 0.5),
        member(4, 0.85, 0.5),
    ]
    # Areas alone: .09, .49, .19, -, .425; beside trial 1 the others add .02, .05 and .075.
    assert [each.trial for each in best_spread(members, OBJECTIVES, ())] == [1, 4, 2, 0]
    limit = Limit(metric="params", at_most=True, value=0.1)
    assert [each.trial for each in best_spread(members, OBJECTIVES, (limit,))] == [2]
    nobody = Limit(metric="params", at_most=True, value=0.01)
    assert len(best_spread(members, OBJECTIVES, (nobody,))) == 4


def test_report_and_mlflow_tell_it(config: Any, count: Counted) -> None:
    before = automl.search(config())
    assert warm_start_part(before) == ""
    run = automl.search(config(warm("small")))
    part = warm_start_part(run)
    assert told(run) in part
    assert part.count("<tr") == 1 + len(run.warm_start.first)
    assert "on the front" in part
    assert told(run) in note(run, "1")
    assert summary_row(run, text="").tags["warm_start"] == told(run)
    assert "warm_start" not in summary_row(before, text="").tags
