"""A trial as MLflow shows it: what is told, under which name."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from automl.run import Run
from automl.tracking.rows import trial_row
from trials.records import Outcome

MakeRun = Callable[..., Run]


def test_a_trained_trial_keeps_its_times_choices_measures_and_losses(make_run: MakeRun) -> None:
    finished = make_run(3).trials[2]
    row = trial_row(finished, folder="/runs/digits", logarithmic=("size_bytes",))
    assert (row.name, row.status) == ("trial-0002", "FINISHED")
    assert (row.start_ms, row.end_ms) == (
        int(finished.started.timestamp() * 1000),
        int(finished.ended.timestamp() * 1000),
    )
    assert row.params == {name: str(value) for name, value in finished.values.items()}
    last = {metric.key: metric.value for metric in row.metrics}
    primary, int8 = finished.result.candidates
    assert last["accuracy"] == primary.metrics["accuracy"]
    assert last["accuracy.int8"] == int8.metrics["accuracy"]
    assert last["latency_ms_provisional"] == primary.metrics["latency_ms"]
    assert "latency_ms" not in last
    assert 10 ** last["log10/size_bytes"] == pytest.approx(primary.metrics["size_bytes"])
    losses = [(metric.step, metric.value) for metric in row.metrics if metric.key == "loss/kd"]
    assert losses == [(record.epoch, record.losses["kd"]) for record in finished.result.history]
    moments = [metric.timestamp_ms for metric in row.metrics if metric.key == "loss/kd"]
    assert moments == sorted(moments)
    assert row.start_ms <= moments[0]
    assert max(metric.timestamp_ms for metric in row.metrics) == row.end_ms
    assert row.tags["front"] == "undecided"
    assert row.tags["digest"] == finished.trial.digest


def test_infeasible_is_finished_and_failed_is_failed_with_its_error(make_run: MakeRun) -> None:
    made = make_run(2, outcomes={0: Outcome.INFEASIBLE, 1: Outcome.FAILED})
    infeasible, failed = (trial_row(finished, folder="/runs/digits") for finished in made.trials)
    assert (infeasible.status, infeasible.tags["outcome"], infeasible.tags["front"]) == ("FINISHED", "infeasible", "no")
    assert "error" not in infeasible.tags
    assert (failed.status, failed.tags["outcome"], failed.tags["front"]) == ("FAILED", "failed", "no")
    assert failed.tags["error"] == "RuntimeError: loss is not a number at epoch 3"
    assert "Traceback" in failed.tags["mlflow.note.content"]


def test_what_mlflow_would_refuse_is_made_fit(make_run: MakeRun) -> None:
    finished = make_run(1).trials[0]
    history = replace(finished.result.history[0], losses={"my.loss:kd[0]": float("nan"), "a//b/": 1.0})
    result = replace(finished.result, history=(history,), error="x" * 20_000)
    row = trial_row(replace(finished, result=result, values={"a:b": "y" * 9_000}), folder="/runs/digits")
    keys = {metric.key for metric in row.metrics}
    assert "loss/a/b" in keys
    assert not any("my.loss" in key for key in keys), "NaN is no value"
    assert len(row.params["a_b"]) < 6_000
    assert max(len(value) for value in row.tags.values()) < 8_000


def test_secrets_in_an_error_do_not_reach_mlflow(make_run: MakeRun) -> None:
    finished = make_run(1, outcomes={0: Outcome.FAILED}).trials[0]
    result = replace(finished.result, error="Traceback\nOSError: https://bob:s3cret@host/data said no")
    row = trial_row(replace(finished, result=result), folder="/runs/digits")
    assert row.tags["error"] == "OSError: https://***@host/data said no"
    assert "s3cret" not in str(row)


def test_shares_of_the_gradient_are_told_for_the_epochs_in_which_they_were_measured(make_run: MakeRun) -> None:
    finished = make_run(1).trials[0]
    measured = {"shares": {"hard_label": 0.3, "kd": 0.7}, "teacher_shares": {"straight": 1.0}}
    history = tuple(replace(record, **measured) if record.epoch % 2 else record for record in finished.result.history)
    row = trial_row(replace(finished, result=replace(finished.result, history=history)), folder="/runs/digits")
    for name, value in (("share/kd", 0.7), ("teacher_share/straight", 1.0)):
        told = [(metric.step, metric.value) for metric in row.metrics if metric.key == name]
        assert told == [(epoch, value) for epoch in (1, 3, 5, 7, 9, 11)]


def test_shares_that_are_carried_on_are_told_with_the_epoch_that_they_are_of(make_run: MakeRun) -> None:
    finished = make_run(1).trials[0]
    history = tuple(
        replace(record, shares={"kd": 1.0}, shares_epoch=record.epoch - (record.epoch - 1) % 4)
        for record in finished.result.history
    )
    row = trial_row(replace(finished, result=replace(finished.result, history=history)), folder="/runs/digits")
    of_epoch = [metric.value for metric in row.metrics if metric.key == "shares_epoch"]
    assert of_epoch == [1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9]
    assert sum(metric.key == "share/kd" for metric in row.metrics) == 12


def test_a_loss_that_is_hardly_heard_is_a_tag_and_a_note_of_its_trial(make_run: MakeRun) -> None:
    finished = make_run(1).trials[0]
    assert "lopsided" not in trial_row(finished, folder="/runs/digits").tags
    history = tuple(replace(record, shares={"hard_label": 0.996, "kd": 0.004}) for record in finished.result.history)
    uneven = replace(finished, result=replace(finished.result, history=history))
    tags = trial_row(uneven, folder="/runs/digits").tags
    assert tags["lopsided"] == "loss kd 0.4 %"
    note = "The loss kd held 0.4 % of the gradient: raise its weight, or set balance: magnitude."
    assert tags["mlflow.note.content"].splitlines()[2] == note, "before what MLflow folds"


def test_what_a_trial_was_for_comes_first(make_run: MakeRun) -> None:
    row = trial_row(make_run(1).trials[0], folder="/runs/digits", logarithmic=("size_bytes",))
    keys = list(dict.fromkeys(metric.key for metric in row.metrics))
    assert keys[:4] == ["accuracy", "latency_ms_provisional", "size_bytes", "log10/size_bytes"]
    assert keys.index("macs") < keys.index("accuracy.0") < keys.index("accuracy.int8") < keys.index("loss/kd")
