"""Commands that are shown can be pasted: a shell finds the program and reads the arguments as they were meant."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from automl.commands_to_type import typed


def make_program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@"\n', encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an environment that is not activated, in which one works."""
    folder = tmp_path / "my clone"
    make_program(folder / ".venv/bin/automl")
    monkeypatch.setattr(sys, "executable", str(folder / ".venv/bin/python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(folder)
    return folder


def pasted(line: str) -> list[str]:
    """What the program is called by, and gets, when a shell reads the line."""
    done = subprocess.run(line, shell=True, check=True, capture_output=True, text=True)
    return done.stdout.rstrip("|").split("|")


def test_a_program_that_the_shell_would_not_find_is_named_by_its_path(clone: Path) -> None:
    line = typed("automl", "front", "runs/demo")
    assert line == ".venv/bin/automl front runs/demo"
    assert pasted(line) == [".venv/bin/automl", "front", "runs/demo"]


def test_from_elsewhere_the_path_is_whole_and_quoted(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    line = typed("automl", "front", "runs/demo")
    assert pasted(line) == [str(clone / ".venv/bin/automl"), "front", "runs/demo"]


def test_a_program_on_the_path_is_named_plainly(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{clone / '.venv/bin'}:/usr/bin:/bin")
    assert typed("automl", "front", "runs/demo") == "automl front runs/demo"


def test_a_program_that_is_not_there_is_named_plainly(clone: Path) -> None:
    assert typed("mlflow", "ui") == "mlflow ui"


@pytest.mark.parametrize("word", ["/tmp/my dir/R x", "a'b", "$HOME", "size_bytes<=5", "über", "a;b"])
def test_arguments_arrive_as_they_were_given(clone: Path, word: str) -> None:
    assert shlex.split(typed("automl", "export", Path(word), "--where", word))[1:] == ["export", word, "--where", word]
    assert pasted(typed("automl", "export", word))[1:] == ["export", word]
