"""How a search is found in MLflow: addresses, preset pages, runs by their id."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from automl.run import Run
from automl.tracking import Tracker, find_run_folder
from automl.tracking.connection import default_uri
from automl.tracking.views import VIEW_TAG, ui_hint, view_tags

MakeRun = Callable[..., Run]
Store = Any  # of conftest.py, which cannot be imported


def test_the_hint_names_store_and_preset_page(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, example: NDArray[Any]
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


def test_the_command_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path) -> None:
    command = ui_hint(f"sqlite:///{tmp_path}/R x/mlflow.db", "7").command
    assert command == f"mlflow ui --backend-store-uri 'sqlite:///{tmp_path}/R x/mlflow.db' --port 5000"


def test_the_preset_page_shows_each_cost_against_the_primary_metric(make_run: MakeRun) -> None:
    tags = view_tags(make_run(2).front.objectives, primary_metric="accuracy", precisions=[".int8"], final=True)
    charts = json.loads(tags[VIEW_TAG + "front"])["compareRunCharts"]
    axes = [(chart["xaxis"]["key"], chart["yaxis"]["key"]) for chart in charts if chart["type"] == "SCATTER"]
    assert axes[:2] == [("log10/latency_ms", "accuracy"), ("log10/size_bytes", "accuracy")]
    assert ("log10/size_bytes.int8", "accuracy.int8") in axes
    assert ("latency_ms", "accuracy") in axes
    assert axes[-1] == ("log10/latency_ms_provisional", "accuracy"), "which members and others have"
    assert charts[2]["type"] == "IMAGE", "the picture stands in the first row"
    assert json.loads(tags[VIEW_TAG + "members"])["searchFilter"] == "tags.front = 'member'"
    assert max(len(value) for value in tags.values()) < 20_000


def test_a_run_is_found_by_its_id(run: Run, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_id = store.experiment().send_trial(run.trials[0])
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
