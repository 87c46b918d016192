"""A run that could not be kept where the config says is refused as the config is read, and nothing is left behind."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from automl.config import load_config
from automl.errors import UserError

TEXT = """\
name: {name}
runs: {runs}
data: {{kind: sklearn, name: digits}}
student: {{space: mlp}}
recipe: {{epochs: 1, batch_size: 64, learning_rate: 0.01, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [accuracy]
search: {{trials: 1}}
"""


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def message(*, name: str = "x", runs: str = "runs") -> str:
    Path("x.yaml").write_text(TEXT.format(name=name, runs=runs), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_config("x.yaml")
    return str(caught.value)


def test_a_file_in_the_place_of_the_runs_is_told(tmp_path: Path) -> None:
    Path("d.npz").touch()
    reason = f"{tmp_path}/d.npz: it is a file; name a folder to write to"
    assert message(runs="d.npz") == f"x.yaml:2:1: runs: the run cannot be kept in d.npz/x: {reason}"


def test_a_file_in_the_place_of_the_run_is_told(tmp_path: Path) -> None:
    Path("runs").mkdir()
    Path("runs/x").touch()
    assert f"{tmp_path}/runs/x: it is a file; name a folder" in message()


@pytest.mark.parametrize("there", [False, True])
def test_a_name_that_no_folder_can_have_is_told(there: bool) -> None:
    if there:
        Path("runs").mkdir()
    said = message(name="a" * 300)
    assert said == "x.yaml:1:1: name: no folder can have this name: File name too long; give a shorter one"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can make one")
def test_a_place_in_which_nothing_can_be_made_is_told() -> None:
    assert message(runs="/proc/foo").startswith("x.yaml:2:1: runs: the run cannot be kept in /proc/foo/x: /proc: ")


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**given: object) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"{given['dir']}/.automl-1")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert f"runs/x: {tmp_path}: Permission denied; name a folder to write to" in message()


def test_a_full_disk_is_not_the_fault_of_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**given: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(given["dir"]))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    Path("x.yaml").write_text(TEXT.format(name="x", runs="runs"), encoding="utf-8")
    with pytest.raises(OSError, match="No space left"):
        load_config("x.yaml")


@pytest.mark.parametrize("runs", ["runs", "new/deep/runs"])
def test_a_place_that_can_be_used_is_left_as_it_was(tmp_path: Path, runs: str) -> None:
    Path("runs").mkdir()
    Path("x.yaml").write_text(TEXT.format(name="x", runs=runs), encoding="utf-8")
    load_config("x.yaml")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["runs", "x.yaml"]
