"""A run with MLflow's store in its folder, and what that store holds."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from automl.run import Run
from automl.tracking import Tracker
from automl.tracking.connection import STORE_FILE, connect, default_uri
from automl.tracking.experiment import Experiment
from automl.tracking.models import model_file


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make MLflow's database once: it takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    connect(default_uri(folder)).search_experiments()
    return folder / STORE_FILE


@pytest.fixture
def run(make_run: Callable[..., Run], empty_store: Path) -> Run:
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


class Store:
    """MLflow's store in the folder of a run, looked at without MLflow."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def experiment(self) -> Experiment:
        return Experiment(default_uri(self.run.folder), self.run.folder, name=self.run.name, tags={})

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.run.folder / STORE_FILE)) as connection:
            return connection.execute(query).fetchall()

    def names(self) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM runs WHERE lifecycle_stage = 'active' ORDER BY rowid")]

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that MLflow shows, but for the names that it makes up."""
        queries = {
            "runs": "SELECT name, status, start_time, end_time, lifecycle_stage FROM runs ORDER BY rowid",
            "metrics": "SELECT r.name, m.key, m.step, m.timestamp, m.value FROM metrics m JOIN runs r USING (run_uuid)",
            "params": "SELECT r.name, p.key, p.value FROM params p JOIN runs r USING (run_uuid)",
            "tags": "SELECT r.name, t.key, t.value FROM tags t JOIN runs r USING (run_uuid)",
            "models": "SELECT name, status FROM logged_models",
            "model metrics": "SELECT model_id, metric_name, metric_value FROM logged_model_metrics",
        }
        found = {name: self.rows(query) for name, query in queries.items()}
        return {name: lines if name == "runs" else sorted(lines) for name, lines in found.items()}

    def export_members(self) -> None:
        """Write a small graph for each member of the front."""
        for member in self.run.front.members:
            drawn = np.random.default_rng(member.trial).normal(size=(8, 4)).astype(np.float32)
            graph = helper.make_graph(
                [helper.make_node("MatMul", ["inputs", "w"], ["logits"])],
                "student",
                [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["batch", 8])],
                [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
                [numpy_helper.from_array(drawn, "w")],
            )
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
            file = model_file(self.run.folder, member)
            file.parent.mkdir(parents=True, exist_ok=True)
            onnx.save_model(model, file)


@pytest.fixture
def store(run: Run) -> Store:
    return Store(run)


@pytest.fixture
def example() -> NDArray[np.float32]:
    """Rows that an exported member takes."""
    return np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)


@pytest.fixture
def png() -> bytes:
    """Give a picture of one pixel."""
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\r"
        b"IDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
    )
