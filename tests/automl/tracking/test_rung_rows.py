"""What MLflow is told of rungs."""

from collections.abc import Callable

import pytest

from automl.run import Run
from automl.tracking.rows import trial_row
from automl.tracking.summary import summary_row
from tests.automl.rung_runs import with_rungs
from trials.records import METRICS_OF_COST

MakeRun = Callable[..., Run]


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return with_rungs(make_run(12), stopped={1: 4, 2: 1})


def test_a_stopped_trial_tells_its_costs_and_what_it_showed_at_each_rung(run: Run) -> None:
    finished = run.trials[1]
    row = trial_row(finished, folder="/runs/digits")
    assert (row.status, row.tags["outcome"], row.tags["front"]) == ("FINISHED", "pruned", "no")
    assert row.tags["pruned_at_epoch"] == "4"
    told = {(metric.key, metric.step): metric.value for metric in row.metrics}
    shown = [record.candidate.metrics["accuracy"] for record in finished.rungs]
    assert [told["rung/accuracy", 1], told["rung/accuracy", 4]] == shown
    keys = {key for key, _ in told}
    assert not keys & {"accuracy", "accuracy.3", "rung/accuracy.3"}  # It is drawn beside no trained student.
    assert keys >= {"latency_ms_provisional", *METRICS_OF_COST} - {"latency_ms"}
    note = row.tags["mlflow.note.content"]
    assert note.startswith("**Trial 1: pruned**")
    assert "- rung at epoch 1: accuracy" in note
    assert note.count("went on") == 1
    assert note.count("; stopped") == 1


def test_a_trained_trial_tells_its_rungs_beside_what_it_came_to(run: Run) -> None:
    row = trial_row(run.trials[0], folder="/runs/digits")
    keys = [(metric.key, metric.step) for metric in row.metrics]
    assert ("accuracy", 0) in keys
    assert ("rung/accuracy", 4) in keys
    assert "pruned_at_epoch" not in row.tags


def test_the_summary_counts_them_and_says_how_well_rungs_foretold(run: Run) -> None:
    told = {(metric.key, metric.step): metric.value for metric in summary_row(run, text="").metrics}
    assert told["trials_pruned", 12] == 2
    assert told["rung/spearman/accuracy", 1] == pytest.approx(1.0)
    assert told["rung/kendall/accuracy", 4] == pytest.approx(1.0)
    assert told["rung/compared", 4] == told["trials_trained", 12]


def test_without_halving_nothing_is_told_of_rungs(make_run: MakeRun) -> None:
    run = make_run(12)
    keys = [metric.key for metric in summary_row(run, text="").metrics]
    keys += [metric.key for finished in run.trials for metric in trial_row(finished, folder="/runs").metrics]
    assert not [key for key in keys if "rung" in key or "pruned" in key]
