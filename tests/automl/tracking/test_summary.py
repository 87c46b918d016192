"""The end of a search: members marked and logged as models, and one run that shows the front."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from automl.run import Run
from automl.tracking import Summary, Tracker
from automl.tracking import summary as summary_module
from automl.tracking.experiment import Experiment
from automl.tracking.models import model_file
from automl.tracking.tables import front_table, markdown, short_table

MakeRun = Callable[..., Run]
Store = Any  # of conftest.py, which cannot be imported


def test_the_end_of_a_search_marks_members_and_shows_the_front(
    run: Run, start: Callable[..., Tracker], store: Store, example: NDArray[Any], png: bytes
) -> None:
    store.export_members()
    tracker = start()
    tracker.finish(Summary(run=run, files={"front.png": png, "front.html": b"<p>"}, example=example))
    assert str(tracker.close(seconds=20)) == ""
    experiment = store.experiment()
    client = experiment.client

    members = client.search_runs([experiment.id], "tags.front = 'member'")
    assert {int(each.data.tags["automl.trial"]) for each in members} == {member.trial for member in run.front.members}
    others = client.search_runs([experiment.id], "tags.front = 'no'")
    assert len(members) + len(others) == len(run.trials)
    by_trial = {int(each.data.tags["automl.trial"]): each for each in members}
    for member in run.front.members:
        suffix = "" if member.precision == "float32" else ".int8"
        found = by_trial[member.trial].data.metrics
        assert found["latency_ms" + suffix] == member.metrics["latency_ms"]
        assert found["test_accuracy" + suffix] == member.metrics["test_accuracy"]
        assert member.precision in by_trial[member.trial].data.tags["front_precisions"]

    (summary,) = client.search_runs([experiment.id], "tags.front = 'all'")
    assert summary.info.run_name == "★ front"
    history = client.get_metric_history(summary.info.run_id, "hypervolume")
    assert [value.value for value in sorted(history, key=lambda value: value.step)] == list(run.hypervolumes)
    folder = Path(client.download_artifacts(summary.info.run_id, ""))
    assert {"front.png", "front.html", "front.csv", "config.yaml", "machine.json"} <= {
        path.name for path in folder.iterdir()
    }
    table = json.loads((folder / "front_table.json").read_text())
    assert [line[0] for line in table["data"]] == [member.trial for member in run.front.members]
    assert {path.name for path in (folder / "students").iterdir()} == {member.digest for member in run.front.members}
    first = client.get_experiment(experiment.id).tags["mlflow.note.content"].splitlines()[0]
    digests = {member.digest for member in run.front.members}
    assert len(digests) < len(run.front.members)
    assert f"**{len(digests)} students on the front, in {len(run.front.members)} versions:** " in first
    assert "viewStateShareKey=front" in first


def test_members_load_back_as_models_that_answer_the_same(
    run: Run, start: Callable[..., Tracker], store: Store, example: NDArray[Any]
) -> None:
    import mlflow

    store.export_members()
    tracker = start()
    tracker.finish(Summary(run=run, example=example))
    tracker.close(seconds=20)
    experiment = store.experiment()
    models = experiment.client.search_logged_models([experiment.id])
    assert len(models) == len(run.front.members)
    member = run.front.members[0]
    (model,) = (each for each in models if each.name == f"trial-{member.trial:04d}-{member.precision}")
    known = experiment.find(member.trial, member.digest)
    assert known is not None
    assert model.source_run_id == known.run_id
    assert model.model_id in {out.model_id for out in experiment.client.get_run(known.run_id).outputs.model_outputs}
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    assert loaded.metadata.signature.inputs.input_types()[0] == np.dtype("float32")
    assert loaded.metadata.saved_input_example_info is not None
    session = onnxruntime.InferenceSession(model_file(run.folder, member).read_bytes())
    np.testing.assert_array_equal(loaded.predict(example)["logits"], session.run(["logits"], {"inputs": example})[0])
    files = [path.name for path in (run.folder / "mlartifacts").rglob("*") if path.is_file()]
    assert not [name for name in files if Path(name).suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}]


def test_finishing_again_changes_nothing(
    run: Run, start: Callable[..., Tracker], store: Store, example: NDArray[Any], png: bytes
) -> None:
    store.export_members()
    summary = Summary(run=run, files={"front.png": png}, example=example)
    found = []
    for _ in range(2):
        tracker = start()
        tracker.finish(summary)
        assert str(tracker.close(seconds=20)) == ""
        pictures = sorted(path.name for path in (run.folder / "mlartifacts").rglob("*.png"))
        found.append((store.contents(), pictures))
    assert found[0] == found[1]


def test_a_search_that_goes_on_loses_members_that_were_beaten(
    run: Run, start: Callable[..., Tracker], store: Store
) -> None:
    tracker = start()
    tracker.finish(Summary(run=run))
    best = run.front.members[0]
    shrunk = replace(run, front=replace(run.front, members=(best,)))
    tracker.finish(Summary(run=shrunk))
    assert str(tracker.close(seconds=20)) == ""
    query = "SELECT name FROM tags JOIN runs USING (run_uuid) WHERE key = 'front' AND value = 'member'"
    assert store.rows(query) == [(f"trial-{best.trial:04d}",)]
    assert store.names().count("★ front") == 1


def test_an_empty_front_is_said_in_words(run: Run, start: Callable[..., Tracker], store: Store) -> None:
    tracker = start()
    tracker.finish(Summary(run=replace(run, trials=(), hypervolumes=(), front=replace(run.front, members=()))))
    assert str(tracker.close(seconds=20)) == ""
    ((note,),) = store.rows("SELECT value FROM experiment_tags WHERE key = 'mlflow.note.content'")
    assert "The front is empty" in note


def test_a_refused_member_holds_up_no_other_and_not_the_front(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, store: Store, example: NDArray[Any]
) -> None:
    store.export_members()
    bad = run.front.members[0]
    real = summary_module.send_model

    def strict(experiment: Experiment, member: Any, *arguments: Any, **named: Any) -> str | None:
        if member == bad:
            raise ValueError("no such operator")
        return real(experiment, member, *arguments, **named)

    monkeypatch.setattr(summary_module, "send_model", strict)
    tracker = start()
    tracker.finish(Summary(run=run, example=example))
    report = tracker.close(seconds=20)
    assert report.refused == (f"trial {bad.trial} in {bad.precision}: no such operator",)
    assert not report.summary_owed
    assert len(store.rows("SELECT name FROM logged_models")) == len(run.front.members) - 1
    assert store.names().count("★ front") == 1


def test_the_description_holds_a_table_that_fits_and_files_hold_it_whole(make_run: MakeRun) -> None:
    run = make_run(8)
    (head, _, first, *_) = markdown(short_table(run)).splitlines()
    assert head == "| trial | precision | accuracy | latency_ms | size_bytes | test_accuracy | digest |"
    assert run.front.members[0].digest in first
    assert {"params", "macs"} <= set(front_table(run)[0])


def test_a_renewed_report_takes_the_place_of_the_one_that_is_there(run: Run, start: Callable[..., Tracker]) -> None:
    tracker = start()
    tracker.renew_report(b"too early")  # No run shows the front yet.
    assert str(tracker.close(seconds=20)) == ""
    assert not list(run.folder.rglob("artifacts/report.html"))
    tracker = start()
    tracker.finish(Summary(run=run, files={"report.html": b"old"}))
    tracker.renew_report(b"new")
    assert str(tracker.close(seconds=20)) == ""
    (page,) = run.folder.rglob("artifacts/report.html")
    assert page.read_bytes() == b"new"


def test_a_renewed_report_is_owed_while_mlflow_is_away(start: Callable[..., Tracker]) -> None:
    tracker = start("http://127.0.0.1:9")
    tracker.renew_report(b"new")
    report = tracker.close(seconds=0.2, seconds_away=0.2)
    assert report.summary_owed
    assert "MLflow lacks the summary of the front" in str(report)
