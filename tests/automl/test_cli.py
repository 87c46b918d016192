"""Commands, flags and exit codes: what scripts rely on."""

import argparse
import errno
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from automl import cli
from automl.cli import main, make_parser
from automl.errors import UserError, WorkFailed
from automl.run import Run

ROOT = Path(__file__).parents[2]

FLAGS = {
    "init": ["-h/--help", "NAME"],
    "check": ["-h/--help", "CONFIG"],
    "search": ["-h/--help", "CONFIG", "--resume", "--trials N", "--address ADDR"],
    "distill": ["-h/--help", "CONFIG"],
    "front": ["-h/--help", "RUN", "--json"],
    "export": ["-h/--help", "RUN", "--pick WHICH", "--where LIMIT", "--to FOLDER"],
    "attribute": ["-h/--help", "RUN", "TRIAL", "--seeds N", "--address ADDR"],
    "report": ["-h/--help", "RUN"],
    "predict": ["-h/--help", "FOLDER", "INPUT"],
}
"""The contract. A setting belongs into the config: do not add a flag for it."""


def written(action: argparse.Action) -> str:
    name = "/".join(action.option_strings)
    return " ".join(part for part in (name, str(action.metavar or "")) if part)


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (action,) = [action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(action.choices)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give ``put(module, **functions)``, which puts functions in place of those that a command calls."""

    def put(module: str, **functions: object) -> None:
        made = ModuleType(module)
        for name, function in functions.items():
            setattr(made, name, function)
        monkeypatch.setitem(sys.modules, module, made)

    return put


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_commands_and_flags_are_those_of_the_contract() -> None:
    assert {name: [written(action) for action in parser._actions] for name, parser in subparsers().items()} == FLAGS


def test_the_main_page_has_help_and_version_alone() -> None:
    options = [written(action) for action in make_parser()._actions if action.option_strings]
    assert options == ["-h/--help", "--version"]


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    heavy = ["torch", "ray", "optuna", "mlflow", "numpy", "pydantic", "rich", "yaml", "onnxruntime"]
    code = f"import automl.cli, automl.init, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_predicting_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from automl.cli import main; code = main(['predict', 'none', 'x.png']); "
        "print(code, [name for name in ('torch', 'ray', 'optuna') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout == "2 []\n"
    assert done.stderr == "none holds no exported student: student.json is missing; make one with automl export\n"


def test_the_help_is_one_page_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    page = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert len(page) <= 40
    assert max(map(len, page)) <= 80
    for command in FLAGS:
        assert any(line.startswith(f"    {command} ") for line in page), command


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_version", lambda: "1.2.3")
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == "automl 1.2.3\n"


@pytest.mark.parametrize(
    "arguments", ["", "serch", "search", "search a --trials 0", "search a --res", "export a --to b"]
)
def test_a_wrong_command_line_ends_with_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: automl")


def test_a_mistake_of_the_user_is_one_message_and_2(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("automl.check", check=raising(UserError("unknown key", place="x.yaml:3:1: seed")))
    assert main(["check", "x.yaml"]) == 2
    assert capsys.readouterr() == ("", "x.yaml:3:1: seed: unknown key\n")


def test_work_that_failed_is_one_message_and_1(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("automl.searching.search", search=raising(WorkFailed("no student keeps the limits")))
    assert main(["search", "x.yaml"]) == 1
    assert capsys.readouterr() == ("", "no student keeps the limits\n")


def test_ctrl_c_says_how_to_go_on(stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("automl.searching.search", search=raising(KeyboardInterrupt()))
    assert main(["search", "x.yaml"]) == 1
    assert capsys.readouterr() == ("", "stopped; go on with: automl search x.yaml --resume\n")


@pytest.mark.parametrize(
    ("typed", "resumption"),
    [
        ("search x.yaml --resume", "search x.yaml --resume"),
        ("search x.yaml --trials 7", "search x.yaml --resume --trials 7"),
        ("search x.yaml --address head:6379", "search x.yaml --resume --address head:6379"),
        ("search 'my x.yaml' --trials 7 --address auto", "search 'my x.yaml' --resume --trials 7 --address auto"),
        ("distill x.yaml", "search x.yaml --resume --trials 1"),  # `distill` itself refuses a run that is there.
    ],
)
def test_what_is_said_to_go_on_continues_the_same_search(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str], typed: str, resumption: str
) -> None:
    stand_in("automl.searching.search", search=raising(KeyboardInterrupt()), distill=raising(KeyboardInterrupt()))
    assert main(shlex.split(typed)) == 1
    assert capsys.readouterr().err == f"stopped; go on with: automl {resumption}\n"
    assert make_parser().parse_args(shlex.split(resumption)).resume


def test_ctrl_c_elsewhere_only_stops(stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("automl.check", check=raising(KeyboardInterrupt()))
    assert main(["check", "x.yaml"]) == 1
    assert capsys.readouterr().err == "stopped\n"


def test_what_nobody_foresaw_is_one_line_and_keeps_its_traceback_in_a_file(
    stand_in: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stand_in("automl.check", check=raising(RuntimeError("the moon\nfell down")))
    assert main(["check", "x.yaml"]) == 1
    (file,) = tmp_path.glob("automl-error-*.txt")
    said = capsys.readouterr().err
    assert said == (
        f"unexpected RuntimeError: the moon fell down; the traceback is in {file} (AUTOML_DEBUG=1 shows it)\n"
    )
    assert "Traceback (most recent call last)" in file.read_text()


def test_the_traceback_is_shown_on_demand(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_DEBUG", "1")
    stand_in("automl.check", check=raising(UserError("wrong")))
    assert main(["check", "x.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last)")
    assert said.endswith("\nwrong\n")


def test_a_search_ends_with_the_front_and_what_to_type_next(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str], make_run: Callable[..., Run]
) -> None:
    tracking = {"command": "mlflow ui --port 5000", "charts": "http://127.0.0.1:5000/#/experiments/1"}
    run = replace(make_run(folder=Path("runs/digits")), tracking=tracking)
    calls: list[object] = []
    stand_in("automl.searching.search", search=lambda path, **given: (calls.append((path, given)), run)[1])
    assert main(["search", "x.yaml", "--resume", "--trials", "7", "--address", "auto"]) == 0
    assert calls == [("x.yaml", {"resume": True, "trials": 7, "address": "auto"})]
    page = capsys.readouterr().out
    assert "pick  trial  precision  accuracy  latency_ms  size_bytes  test_accuracy" in page
    assert page.endswith(
        "\n\nreport  runs/digits/report.html\n"
        "MLflow  mlflow ui --port 5000\n"
        "charts  http://127.0.0.1:5000/#/experiments/1\n"
        "export  automl export runs/digits --pick knee --to digits-student\n"
    )


def test_distilling_shows_the_student(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str], make_run: Callable[..., Run]
) -> None:
    stand_in("automl.searching.search", distill=lambda path: make_run(trials=1, name=path))
    assert main(["distill", "one"]) == 0
    assert "1 trial: 1 trained" in capsys.readouterr().out


def test_the_front_is_a_table_or_one_json_object(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str], make_run: Callable[..., Run]
) -> None:
    stand_in("automl.run_folder", load_run=lambda run: make_run(name=run))
    assert main(["front", "digits"]) == 0
    assert capsys.readouterr().out.count("\n") > 5
    assert main(["front", "digits", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["name"] == "digits"


def test_a_run_that_cannot_be_read_is_a_mistake_of_the_user(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("automl.run_folder", load_run=raising(ValueError("there is no run 'x'")))
    assert main(["front", "x"]) == 2
    assert capsys.readouterr().err == "RUN: there is no run 'x'\n"


def test_an_export_is_told_what_to_pick_where_and_whereto(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[object] = []
    stand_in("automl.run_folder", load_run=lambda run: f"run {run}")
    stand_in("automl.export", export=lambda run, **given: (calls.append((run, given)), "written")[1])
    where = ["--where", "latency_ms<=2", "--where", "accuracy >= 0.9"]
    assert main(["export", "r", "--pick", "3:int8", *where, "--to", "out"]) == 0
    limits = ("latency_ms<=2", "accuracy >= 0.9")
    assert calls == [("run r", {"pick": "3:int8", "where": limits, "to": Path("out")})]
    assert capsys.readouterr().out == "written\n"


def test_a_pick_that_is_not_there_is_a_mistake_of_the_user(
    stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("automl.run_folder", load_run=lambda run: run)
    stand_in("automl.export", export=raising(ValueError("trial 9 is not on the front")))
    assert main(["export", "r", "--pick", "9", "--to", "out"]) == 2
    assert capsys.readouterr().err == "trial 9 is not on the front\n"


def test_a_report_tells_where_it_is(stand_in: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("automl.run_folder", load_run=lambda run: run)
    stand_in("automl.report", write_report=lambda run: Path("runs") / run / "report.html")
    assert main(["report", "digits"]) == 0
    assert capsys.readouterr().out == "runs/digits/report.html\n"


def test_init_says_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine"]) == 0
    assert capsys.readouterr().out == "wrote mine.yaml; next: automl check mine.yaml\n"
    assert main(["init", "mine"]) == 2
    assert capsys.readouterr().err == "mine.yaml: this file exists and is left as it is; give another NAME\n"


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from automl import cli, commands\n"
        "def long(_): [commands._write('x' * 1000) for _ in range(1000)]\n"
        "cli.COMMANDS['report'] = (long, 'write', [cli.RUN])\n"
        "sys.exit(cli.main(['report', 'r']))"
    )
    script = f'{sys.executable} -c "$CODE" {ROOT} | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "CODE": code},
        check=True,
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_full_disk_without_a_file_tells_the_room_of_each_folder(
    stand_in: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    stand_in("automl.searching.search", distill=raising(OSError(errno.ENOSPC, "No space left on device")))
    assert main(["distill", "x.yaml"]) == 1
    assert re.fullmatch(
        rf"the disk is full; there is room for [\d,]+ MB in {re.escape(str(tmp_path))}; "
        r"free space there, then go on with: automl search x\.yaml --resume --trials 1\n",
        capsys.readouterr().err,
    )
