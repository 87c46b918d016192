import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from automl.config import Config
from automl.preparation.surroundings import demands
from automl.study.storage_driver import require_driver
from automl.tracking import require_uri

BASE: dict[str, Any] = {
    "name": "x",
    "data": {"kind": "sklearn", "name": "iris", "split": {"validation": 0.2, "test": 0.2}},
    "student": {"space": "mlp"},
    "recipe": {"losses": {"hard_label": {"weight": 1.0}}, "epochs": 1, "batch_size": 8, "learning_rate": 0.1},
    "objectives": ["accuracy"],
}


def refused(**settings: Any) -> dict[str, str]:
    """Give what is refused, by place."""
    found = {}
    for path, require in demands(Config.model_validate(BASE | settings)):
        try:
            require()
        except ValueError as error:
            found[".".join(path)] = str(error)
    return found


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])


def test_what_the_machine_has_is_taken() -> None:
    assert refused(resources={"cpus": 2.0}) == {}


def test_more_than_the_machine_has_is_refused_with_what_it_has() -> None:
    found = refused(resources={"cpus": 2.5, "gpus": 0.5}, latency={"provider": "cuda"})
    assert found["resources.cpus"] == "a trial asks for 2.5 CPUs, this machine has 2; write 2 or less"
    assert found["resources.gpus"].startswith("a trial asks for 0.5 GPUs, this machine has 0; write 0, or install")
    assert "install onnxruntime-gpu, or take 'cpu'" in found["latency.provider"]
    assert refused(resources={"gpus": 1.0})["resources.gpus"].startswith("a trial asks for 1 GPU, this machine has 0;")


def test_a_cluster_may_have_what_this_machine_lacks() -> None:
    assert refused(resources={"cpus": 64.0, "gpus": 8.0}, latency={"provider": "cuda"}, address="auto") == {}


@pytest.mark.parametrize("section", ["storage", "tracking"])
def test_a_missing_variable_of_an_address_is_refused(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    address = "sqlite:///${NOT_SET}.db"
    found = refused(**{section: address if section == "storage" else {"uri": address}})
    assert "NOT_SET" in found["storage" if section == "storage" else "tracking.uri"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://h:5000",
        "https://user:pw@h/path",
        "databricks",
        "databricks://profile",
        "sqlite:////tmp/mlflow.db",
        "sqlite:///relative.db",
    ],
)
def test_addresses_that_mlflow_takes_are_taken(uri: str) -> None:
    require_uri(uri)


@pytest.mark.parametrize(
    "uri", ["htp://x", "x", "./mlruns", "file:///tmp/mlruns", "localhost:5000", "http:", "http://"]
)
def test_addresses_that_mlflow_does_not_take_are_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(ValueError, match=f"no tracking URI '{re.escape(uri)}'; write http://HOST:PORT of a server"):
        require_uri(uri)


def test_a_folder_is_taken_where_mlflow_is_told_to_take_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    require_uri("./mlruns")
    with pytest.raises(ValueError, match="no tracking URI"):
        require_uri("htp://x")


@pytest.mark.parametrize("require", [require_driver, require_uri])
def test_a_missing_driver_is_told_with_its_package(
    require: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ValueError, match=r"speaks to postgresql is missing; install it: pip install 'psycopg2-binary'"):
        require("postgresql+psycopg2://user:s3cret@h/d")


@pytest.mark.parametrize("url", ["study.db", "foo://user:s3cret@h/d"])
def test_what_is_no_url_of_a_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="expected the URL of a database, such as postgresql://") as caught:
        require_driver(url)
    assert "s3cret" not in str(caught.value)
