import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from automl.run import Run
from automl.tracking import Summary, Tracker, TrackingReport, find_run_folder
from automl.tracking import summary as summary_module
from automl.tracking import tracker as tracker_module
from automl.tracking.connection import STORE_FILE, connect, default_uri
from automl.tracking.delivery import told_plainly
from automl.tracking.experiment import Experiment
from automl.tracking.models import model_file
from automl.tracking.rows import trial_row
from automl.tracking.views import VIEW_TAG, ui_hint, view_tags
from trials.records import Outcome

MakeRun = Callable[..., Run]
EXAMPLE = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\r"
    b"IDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make MLflow's database once: it takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    connect(default_uri(folder)).search_experiments()
    return folder / STORE_FILE


@pytest.fixture
def run(make_run: MakeRun, empty_store: Path) -> Run:
    made = make_run(8)
    made.folder.mkdir(parents=True)
    shutil.copy(empty_store, made.folder / STORE_FILE)
    return made


@pytest.fixture
def start(run: Run) -> Iterator[Callable[..., Tracker]]:
    started: list[Tracker] = []

    def make(uri: str | None = None, **options: Any) -> Tracker:
        given = {"experiment": run.name, "objectives": run.front.objectives, "primary_metric": run.primary_metric}
        started.append(Tracker(uri, run.folder, **{"first_pause": 0.02, "longest_pause": 0.1, **given, **options}))
        return started[-1]

    yield make
    for tracker in started:
        tracker.close(seconds=0)


def open_experiment(run: Run) -> Experiment:
    return Experiment(default_uri(run.folder), run.folder, name=run.name, tags={})


def rows(run: Run, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(run.folder / STORE_FILE)) as connection:
        return connection.execute(query).fetchall()


def contents(run: Run) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that MLflow shows, but for the names that it makes up."""
    queries = {
        "runs": "SELECT name, status, start_time, end_time, lifecycle_stage FROM runs ORDER BY rowid",
        "metrics": "SELECT r.name, m.key, m.step, m.timestamp, m.value FROM metrics m JOIN runs r USING (run_uuid)",
        "params": "SELECT r.name, p.key, p.value FROM params p JOIN runs r USING (run_uuid)",
        "tags": "SELECT r.name, t.key, t.value FROM tags t JOIN runs r USING (run_uuid)",
        "models": "SELECT name, status FROM logged_models",
        "model metrics": "SELECT model_id, metric_name, metric_value FROM logged_model_metrics",
    }
    found = {name: rows(run, query) for name, query in queries.items()}
    return {name: lines if name == "runs" else sorted(lines) for name, lines in found.items()}


def names(run: Run) -> list[str]:
    return [row[0] for row in rows(run, "SELECT name FROM runs WHERE lifecycle_stage = 'active' ORDER BY rowid")]


def export_members(run: Run) -> None:
    for member in run.front.members:
        drawn = np.random.default_rng(member.trial).normal(size=(8, 4)).astype(np.float32)
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["inputs", "w"], ["logits"])],
            "student",
            [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["batch", 8])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
            [numpy_helper.from_array(drawn, "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        file = model_file(run.folder, member)
        file.parent.mkdir(parents=True, exist_ok=True)
        onnx.save_model(model, file)


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
    moments = [metric.timestamp_ms for metric in row.metrics]
    assert moments == sorted(moments)
    assert row.start_ms <= moments[0]
    assert moments[-1] == row.end_ms
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


def test_trials_are_sent_in_order_and_once(run: Run, start: Callable[..., Tracker]) -> None:
    tracker = start()
    for number in (3, 0, 6, 7, 3):
        tracker.add(run.trials[number])
    report = tracker.close(seconds=20)
    assert report == TrackingReport(sent=4, unsent=0, refused=(), summary_owed=False, problem="")
    assert str(report) == ""
    assert names(run) == ["trial-0003", "trial-0000", "trial-0006", "trial-0007"]


@pytest.mark.parametrize(
    ("method", "works_first"), [("log_batch", False), ("log_batch", True), ("set_terminated", False)]
)
def test_a_controller_killed_while_it_sends_leaves_no_trial_out_and_none_twice(
    run: Run, start: Callable[..., Tracker], method: str, works_first: bool
) -> None:
    experiment = open_experiment(run)
    for finished in run.trials[:4]:
        experiment.send_trial(finished)
    real = getattr(experiment.client, method)

    def die(*arguments: Any, **named: Any) -> None:
        if works_first:
            real(*arguments, **named)
        raise SystemExit("killed")

    setattr(experiment.client, method, die)
    with pytest.raises(SystemExit):
        experiment.send_trial(run.trials[4])
    assert rows(run, "SELECT status FROM runs WHERE name = 'trial-0004'") == [("RUNNING",)]

    tracker = start()
    tracker.sync(run)
    assert tracker.close(seconds=20).sent == len(run.trials)
    assert sorted(names(run)) == [f"trial-{number:04d}" for number in range(8)]
    undisturbed = trial_row(run.trials[4], folder="", logarithmic=("latency_ms", "size_bytes"))
    stored = rows(
        run,
        "SELECT key, step, timestamp, value FROM metrics JOIN runs USING (run_uuid) WHERE name = 'trial-0004'",
    )
    assert sorted(stored) == sorted((row.key, row.step, row.timestamp_ms, row.value) for row in undisturbed.metrics)
    assert rows(run, "SELECT status, end_time FROM runs WHERE name = 'trial-0004'") == [
        ("FINISHED", undisturbed.end_ms)
    ]


def test_an_answer_that_is_lost_makes_no_second_run(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing(Experiment):
        lost = 0

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            create = self.client.create_run

            def lose(*args: Any, **options: Any) -> Any:
                made = create(*args, **options)
                if Losing.lost < 2:
                    Losing.lost += 1
                    raise ConnectionError("answer lost")
                return made

            self.client.create_run = lose

    monkeypatch.setattr(tracker_module, "Experiment", Losing)
    tracker = start()
    for finished in run.trials[:3]:
        tracker.add(finished)
    assert tracker.close(seconds=20).unsent == 0
    assert Losing.lost == 2
    assert names(run) == ["trial-0000", "trial-0001", "trial-0002"]


def test_a_run_made_twice_is_kept_once(run: Run) -> None:
    experiment = open_experiment(run)
    row = trial_row(run.trials[0], folder=str(run.folder))
    experiment.client.create_run(experiment.id, start_time=row.start_ms, tags=dict(row.tags), run_name=row.name)
    experiment.send_trial(run.trials[0])
    assert len(names(run)) == 2
    assert open_experiment(run).missing(run.trials[:1]) == []
    assert names(run) == ["trial-0000"]
    kept = rows(run, "SELECT status FROM runs WHERE lifecycle_stage = 'active'")
    assert kept == [("FINISHED",)], "the whole one is kept"


def test_an_outage_delays_trials_and_keeps_their_order(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = [True]

    class Shaky(Experiment):
        def send_trial(self, finished: Any) -> str:
            if finished.trial.number == 2 and away[0]:
                raise ConnectionError("server went away")
            return super().send_trial(finished)

    monkeypatch.setattr(tracker_module, "Experiment", Shaky)
    tracker = start()
    for finished in run.trials[:5]:
        tracker.add(finished)
    deadline = time.monotonic() + 20
    while not tracker.problem and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "server went away" in tracker.problem
    away[0] = False
    report = tracker.close(seconds=20)
    assert (report.sent, report.unsent, tracker.problem) == (5, 0, "")
    assert names(run) == [f"trial-{number:04d}" for number in range(5)]
    said = [record.getMessage() for record in caplog.records if record.name == "automl.tracking"]
    assert len(said) == 2, "once when it goes, once when it is back"


def test_a_refused_trial_holds_up_no_other(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strict(Experiment):
        def send_trial(self, finished: Any) -> str:
            if finished.trial.number == 1:
                raise ValueError("a bug in the record")
            return super().send_trial(finished)

    monkeypatch.setattr(tracker_module, "Experiment", Strict)
    tracker = start()
    tracker.add(run.trials[0])
    tracker.add(run.trials[1])
    tracker.sync(replace(run, trials=run.trials[:4]))
    report = tracker.close(seconds=20)
    assert report.sent == 3
    assert report.unsent == 0
    assert "MLflow refused trial 1: a bug in the record" in str(report)
    assert names(run) == ["trial-0000", "trial-0002", "trial-0003"]


def test_what_exceeds_the_queue_is_sent_from_the_run(run: Run, start: Callable[..., Tracker]) -> None:
    tracker = start(max_waiting=2)
    for finished in run.trials:
        tracker.add(finished)
    tracker.sync(run)
    report = tracker.close(seconds=20)
    assert (report.sent, report.unsent) == (8, 0)
    assert len(names(run)) == 8


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_unreachable_server_costs_the_search_nothing_and_is_reported(
    run: Run, start: Callable[..., Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    before = time.monotonic()
    tracker = start(f"http://alice:s3cret@127.0.0.1:{unused_port()}")
    for finished in run.trials:
        tracker.add(finished)
    tracker.finish(Summary(run=run))
    assert time.monotonic() - before < 0.5
    assert tracker.ui_hint() is None
    while not tracker.problem:
        time.sleep(0.01)
    before = time.monotonic()
    report = tracker.close(seconds=0.5)
    assert time.monotonic() - before < 2
    assert (report.sent, report.unsent, report.summary_owed) == (0, 8, True)
    assert "8 of 8 trials and the summary of the front" in str(report)
    assert "resuming the search sends them" in str(report)
    assert report.problem.startswith("http://***@127.0.0.1")
    assert report.problem.endswith(": nothing answers there")
    assert report.problem not in str(report), "it was told when the contact was lost"
    assert "s3cret" not in str(report) + caplog.text
    assert "alice" not in str(report) + caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPConnectionPool(host='x', port=1): Read timed out. (read timeout=20)", "it does not answer in time"),
        ("NameResolutionError(\"Failed to resolve 'x'\")", "no machine of this name is known"),
        ("API request to endpoint /api failed with error code 403 != 200", "it refuses to let this user in"),
        ("API request to endpoint /api failed with error code 503 != 200", "it fails itself; see its log"),
    ],
)
def test_a_server_that_is_away_is_told_in_plain_words(text: str, expected: str) -> None:
    assert told_plainly("http://bob:s3cret@x:1", OSError(text)) == f"http://***@x:1: {expected}"


@pytest.mark.slow
def test_records_reach_a_server_that_comes_up_late(run: Run, start: Callable[..., Tracker], empty_store: Path) -> None:
    port = unused_port()
    tracker = start(f"http://127.0.0.1:{port}")
    for finished in run.trials:
        tracker.add(finished)
    while not tracker.problem:
        time.sleep(0.01)
    store = run.folder / "server.db"
    shutil.copy(empty_store, store)
    export_members(run)
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        f"sqlite:///{store}",
        "--port",
        str(port),
    ]
    command += ["--workers", "1", "--artifacts-destination", str(run.folder / "served")]
    with (
        (run.folder / "server.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True) as server,
    ):
        try:
            tracker.finish(Summary(run=run, files={"front.png": PNG}, example=EXAMPLE))
            report = tracker.close(seconds=200)
        finally:
            os.killpg(server.pid, 15)
    assert (report.sent, report.unsent, report.summary_owed) == (8, 0, False)
    with closing(sqlite3.connect(store)) as connection:
        sent = [name for (name,) in connection.execute("SELECT name FROM runs ORDER BY rowid")]
    assert sent == [*(f"trial-{number:04d}" for number in range(8)), "★ front"]


def test_the_end_of_a_search_marks_members_and_shows_the_front(run: Run, start: Callable[..., Tracker]) -> None:
    export_members(run)
    tracker = start()
    tracker.finish(Summary(run=run, files={"front.png": PNG, "front.html": b"<p>"}, example=EXAMPLE))
    assert str(tracker.close(seconds=20)) == ""
    experiment = open_experiment(run)
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
    assert f"{len(run.front.members)} students on the front" in first
    assert "viewStateShareKey=front" in first


def test_members_load_back_as_models_that_answer_the_same(run: Run, start: Callable[..., Tracker]) -> None:
    import mlflow

    export_members(run)
    tracker = start()
    tracker.finish(Summary(run=run, example=EXAMPLE))
    tracker.close(seconds=20)
    experiment = open_experiment(run)
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
    np.testing.assert_array_equal(loaded.predict(EXAMPLE)["logits"], session.run(["logits"], {"inputs": EXAMPLE})[0])
    files = [path.name for path in (run.folder / "mlartifacts").rglob("*") if path.is_file()]
    assert not [name for name in files if Path(name).suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}]


def test_finishing_again_changes_nothing(run: Run, start: Callable[..., Tracker]) -> None:
    export_members(run)
    summary = Summary(run=run, files={"front.png": PNG}, example=EXAMPLE)
    found = []
    for _ in range(2):
        tracker = start()
        tracker.finish(summary)
        assert str(tracker.close(seconds=20)) == ""
        pictures = sorted(path.name for path in (run.folder / "mlartifacts").rglob("*.png"))
        found.append((contents(run), pictures))
    assert found[0] == found[1]


def test_a_search_that_goes_on_loses_members_that_were_beaten(run: Run, start: Callable[..., Tracker]) -> None:
    tracker = start()
    tracker.finish(Summary(run=run))
    best = run.front.members[0]
    shrunk = replace(run, front=replace(run.front, members=(best,)))
    tracker.finish(Summary(run=shrunk))
    assert str(tracker.close(seconds=20)) == ""
    query = "SELECT name FROM tags JOIN runs USING (run_uuid) WHERE key = 'front' AND value = 'member'"
    assert rows(run, query) == [(f"trial-{best.trial:04d}",)]
    assert names(run).count("★ front") == 1


def test_an_empty_front_is_said_in_words(run: Run, start: Callable[..., Tracker]) -> None:
    tracker = start()
    tracker.finish(Summary(run=replace(run, trials=(), hypervolumes=(), front=replace(run.front, members=()))))
    assert str(tracker.close(seconds=20)) == ""
    ((note,),) = rows(run, "SELECT value FROM experiment_tags WHERE key = 'mlflow.note.content'")
    assert "The front is empty" in note


def test_another_search_of_the_same_name_gets_an_experiment_of_its_own(run: Run) -> None:
    first = open_experiment(run)
    assert open_experiment(run).id == first.id
    other = run.folder.parent / "other"
    second = Experiment(default_uri(run.folder), other, name=run.name, tags={})
    assert second.id != first.id
    assert second.client.get_experiment(second.id).name == "digits (2)"


def test_a_run_is_found_by_its_id(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_id = open_experiment(run).send_trial(run.trials[0])
    assert find_run_folder(run_id, search_in=run.folder.parent) == run.folder
    assert find_run_folder(run_id, default_uri(run.folder)) == run.folder.resolve()
    with pytest.raises(ValueError, match="no MLflow run 'abc' in the 1 stores below"):
        find_run_folder("abc", search_in=run.folder.parent)
    with pytest.raises(ValueError, match="no MLflow run 'abc' at sqlite"):
        find_run_folder("abc", default_uri(run.folder))


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no MLflow run 'abc' at sqlite.*there is no such file"):
        find_run_folder("abc", default_uri(tmp_path))
    assert not list(tmp_path.iterdir())


def test_no_value_of_a_trial_is_there_twice(run: Run, start: Callable[..., Tracker]) -> None:
    export_members(run)
    tracker = start()
    for finished in run.trials:
        tracker.add(finished)
    tracker.finish(Summary(run=run, example=EXAMPLE))
    tracker.close(seconds=20)
    twice = "SELECT run_uuid, key, step FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1"
    assert rows(run, twice) == []
    assert rows(run, "SELECT count(*) FROM metrics WHERE key = 'test_accuracy'") != [(0,)]


def test_a_front_that_takes_long_is_sent_while_it_gets_on(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: Any, **named: Any) -> None:
        time.sleep(0.3)

    export_members(run)
    monkeypatch.setattr(summary_module, "send_model", slow)
    assert len(run.front.members) >= 4
    tracker = start()
    assert tracker.wait_idle(20)
    tracker.sync(run)
    assert tracker.wait_idle(20)
    tracker.finish(Summary(run=run, example=EXAMPLE))
    before = time.monotonic()
    report = tracker.close(seconds=1.0)
    assert (report.summary_owed, str(report)) == (False, "")
    assert time.monotonic() - before > 1.0, "longer than without progress"


def test_waiting_ends_in_all_and_where_nothing_gets_on(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary_module, "send_model", lambda *arguments, **named: time.sleep(0.2))
    for seconds, most in ((0.1, 60.0), (60.0, 0.1)):
        tracker = start()
        tracker.sync(run)
        assert tracker.wait_idle(20)
        tracker.finish(Summary(run=run, example=EXAMPLE))
        before = time.monotonic()
        tracker.close(seconds=seconds, most=most)
        assert time.monotonic() - before < 10


def test_a_refused_member_holds_up_no_other_and_not_the_front(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_members(run)
    bad = run.front.members[0]
    real = summary_module.send_model

    def strict(experiment: Experiment, member: Any, *arguments: Any, **named: Any) -> str | None:
        if member == bad:
            raise ValueError("no such operator")
        return real(experiment, member, *arguments, **named)

    monkeypatch.setattr(summary_module, "send_model", strict)
    tracker = start()
    tracker.finish(Summary(run=run, example=EXAMPLE))
    report = tracker.close(seconds=20)
    assert report.refused == (f"trial {bad.trial} in {bad.precision}: no such operator",)
    assert not report.summary_owed
    assert len(rows(run, "SELECT name FROM logged_models")) == len(run.front.members) - 1
    assert names(run).count("★ front") == 1


def test_the_tracker_is_idle_when_all_is_sent_and_not_before(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    class Waiting(Experiment):
        def send_trial(self, finished: Any) -> str:
            go_on.wait(20)
            return super().send_trial(finished)

    monkeypatch.setattr(tracker_module, "Experiment", Waiting)
    tracker = start()
    tracker.add(run.trials[0])
    assert tracker.wait_idle(0.05) is False
    go_on.set()
    assert tracker.wait_idle(20) is True
    assert names(run) == ["trial-0000"]


def test_secrets_in_an_error_do_not_reach_mlflow(make_run: MakeRun) -> None:
    finished = make_run(1, outcomes={0: Outcome.FAILED}).trials[0]
    result = replace(finished.result, error="Traceback\nOSError: https://bob:s3cret@host/data said no")
    row = trial_row(replace(finished, result=result), folder="/runs/digits")
    assert row.tags["error"] == "OSError: https://***@host/data said no"
    assert "s3cret" not in str(row)


def test_the_hint_names_store_and_preset_page(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.folder.parent.parent)
    hint = start().ui_hint(port=5055, seconds=30)
    assert hint is not None
    assert hint.command == "mlflow ui --backend-store-uri sqlite:///runs/digits/mlflow.db --port 5055"
    assert hint.charts.startswith(
        "http://127.0.0.1:5055/#/experiments/1/runs?viewStateShareKey=front&compareRunsMode=CHART"
    )
    served = ui_hint("https://bob:pw@mlflow.example.org/", "7")
    assert served.command == ""
    assert served.members.startswith("https://***@mlflow.example.org/#/experiments/7/runs?viewStateShareKey=members")


def test_the_preset_page_shows_each_cost_against_the_primary_metric(make_run: MakeRun) -> None:
    tags = view_tags(make_run(2).front.objectives, primary_metric="accuracy", precisions=[".int8"], final=True)
    charts = json.loads(tags[VIEW_TAG + "front"])["compareRunCharts"]
    axes = [(chart["xaxis"]["key"], chart["yaxis"]["key"]) for chart in charts if chart["type"] == "SCATTER"]
    assert axes[:2] == [("log10/latency_ms", "accuracy"), ("log10/size_bytes", "accuracy")]
    assert ("log10/size_bytes.int8", "accuracy.int8") in axes
    assert ("latency_ms", "accuracy") in axes
    assert charts[2]["type"] == "IMAGE", "the picture stands in the first row"
    assert json.loads(tags[VIEW_TAG + "members"])["searchFilter"] == "tags.front = 'member'"
    assert max(len(value) for value in tags.values()) < 20_000
