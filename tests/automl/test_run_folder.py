"""A run is found by whatever names it, and read without its secrets."""

import shutil
from pathlib import Path

import pytest

from automl.errors import UserError, WorkFailed
from automl.report import render
from automl.run import Run
from automl.run_folder import CONFIG_FILE, find_run, load_run
from automl.tracking import Summary, Tracker
from automl.tracking.connection import default_uri
from automl.tracking.experiment import Experiment


@pytest.fixture
def private(small_run: Run, tmp_path: Path) -> Path:
    """Copy a run, and write secrets into its config."""
    folder = tmp_path / "runs" / "private"
    shutil.copytree(small_run.folder, folder)
    with (folder / CONFIG_FILE).open("a") as file:
        file.write("extra:\n  uri: https://me:S3CRET@host\n  password: S3CRET\n  api_key: S3CRET\n")
    return folder


def test_secrets_of_the_config_reach_neither_the_page_nor_mlflow(private: Path) -> None:
    run = load_run(private)
    assert "https://***@host" in run.config_text
    page = render(run)
    assert "S3CRET" not in page
    tracker = Tracker(
        None, private, experiment="private", objectives=run.front.objectives, primary_metric=run.primary_metric
    )
    tracker.finish(Summary(run=run, files={"report.html": page.encode()}))
    assert str(tracker.close(seconds=30)) == ""
    sent = [path for path in (private / "mlartifacts").rglob("*") if path.is_file()]
    assert {CONFIG_FILE, "report.html"} <= {path.name for path in sent}
    for path in [*sent, private / "mlflow.db"]:
        assert b"S3CRET" not in path.read_bytes(), path


def test_a_run_is_found_by_its_id_at_the_server_that_its_config_names(
    make_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("STORE", default_uri(tmp_path / "elsewhere"))
    run = make_run(1)
    texts = {"digits": "tracking: {uri: '${STORE}'}", "away": "tracking: {uri: '${NOT_SET}'}", "bad": "a: [", "b": "1"}
    texts["dead"] = "tracking: {uri: 'http://127.0.0.1:9'}"
    for name, text in texts.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / CONFIG_FILE).write_text(text)
    experiment = Experiment(default_uri(tmp_path / "elsewhere"), run.folder, name="digits", tags={})
    assert find_run(experiment.send_trial(run.trials[0])) == run.folder.resolve()
    with pytest.raises(UserError, match="expected the folder of a run, its name or its MLflow run id"):
        find_run("0" * 32)


def test_a_name_that_is_no_id_asks_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("automl.tracking.find_run_folder", lambda *asked: pytest.fail("a server was asked"))
    with pytest.raises(UserError, match="there are no runs"):
        find_run("digts")


def test_a_damaged_study_is_told_by_its_line(small_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(small_run.folder, folder)
    journal = folder / "study.journal"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:4], b"garbage" + lines[4], *lines[5:]]))
    with pytest.raises(WorkFailed, match=rf"^{journal}:5: this line of the study is damaged"):
        load_run(folder)
