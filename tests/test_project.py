"""What the project says of itself: its dependencies, pins, commands and the pages that are written by a program."""

import argparse
import ast
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from automl.config.schema import schema

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "teachers", "trials", "automl")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = ("help", "demo", "test", "test-slow", "check", "fix", "docs", "bench")

FROM_ANOTHER = {"pydantic-core": "pydantic"}
"""Libraries that another one pins exactly and brings along."""


def declared(*extras: str) -> set[str]:
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in PROJECT["optional-dependencies"][extra])]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def imported() -> set[str]:
    names = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add(str(node.module).partition(".")[0])
    return names - set(sys.stdlib_module_names) - set(PACKAGES)


def test_every_library_that_is_imported_is_a_dependency() -> None:
    homes = packages_distributions()
    known = declared("huggingface", "transformers", "timm")
    missing = set()
    for name in imported():
        distributions = {canonicalize_name(home) for home in homes.get(name, [name])}
        distributions |= {FROM_ANOTHER[home] for home in distributions & set(FROM_ANOTHER)}
        if not distributions & known:
            missing.add(name)
    assert not missing


def test_every_dependency_is_pinned_exactly() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    # Local versions (+cpu) and addresses would tie the file to one machine or server.
    assert not [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)]
    names = [canonicalize_name(pin.partition("==")[0]) for pin in pins]
    assert len(set(names)) == len(names)
    assert declared("dev", "docs", "huggingface") <= set(names)


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_lower_bound_allows_the_pin(text: str) -> None:
    requirement = Requirement(text)
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pin = re.search(rf"^{re.escape(requirement.name)}==(\S+)$", pins, re.MULTILINE | re.IGNORECASE)
    assert pin is not None
    assert requirement.specifier.contains(pin[1])


def test_help_lists_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert targets == set(COMMANDS)
    done = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    for command in COMMANDS:
        assert re.search(rf"^  make {command} +\w", done.stdout, re.MULTILINE), done.stdout


def bench(folder: Path, *, failing: str = "none") -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """Run ``make bench`` with a Python that writes down what it is asked to run, and fails for some of it."""
    (folder / "installed").touch()
    python = folder / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\ncase "$*" in *{failing}*) exit 3;; esac\n')
    python.chmod(0o755)
    command = ["make", "--no-print-directory", "bench", f"STAMP={folder / 'installed'}", f"BIN={folder}"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return (folder / "asked").read_text().splitlines(), done


def test_bench_runs_every_benchmark(tmp_path: Path) -> None:
    asked, done = bench(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    there = {f"benchmarks/{path.name}" for path in (ROOT / "benchmarks").glob("*.py") if path.name[0] != "_"}
    needs_data = {f"benchmarks/{name}.py" for name in ("multilingual", "search_efficiency", "search_halving")}
    assert {run.split()[0] for run in asked} == there - needs_data


def test_bench_goes_on_after_a_failure_and_ends_with_the_names_of_those_that_failed(tmp_path: Path) -> None:
    asked, done = bench(tmp_path, failing="distillation_")
    assert len(asked) > 4
    assert done.returncode != 0
    last = done.stdout.splitlines()[-1]
    gains = [
        f"distillation_gains.py {of}" for of in ("digits", "digits --only fcfd", "attention", "classes --seeds 10")
    ]
    assert last == f"failed: {', '.join(gains)}, distillation_step.py"


def test_bench_runs_each_study_with_the_seeds_that_the_page_quotes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for run in bench(tmp_path)[0]:
        if "distillation_gains" in run:
            assert f"`python {run}`" in page


def test_benchmarks_take_the_arguments_that_bench_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ParsedError(Exception):
        """The arguments are taken; nothing is measured."""

    def parse(parser: argparse.ArgumentParser, *arguments: Any) -> None:
        parse_args(parser, *arguments)
        raise ParsedError

    parse_args = argparse.ArgumentParser.parse_args
    monkeypatch.setattr("argparse.ArgumentParser.parse_args", parse)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for run in bench(tmp_path)[0]:
        monkeypatch.setattr("sys.argv", run.split())
        with pytest.raises(ParsedError):
            runpy.run_path(str(ROOT / run.split()[0]), run_name="__main__")


def test_make_alone_is_help() -> None:
    done = subprocess.run(["make", "--dry-run"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "awk" in done.stdout
    assert "pip" not in done.stdout


def test_continuous_integration_runs_the_same_commands() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o100
    assert "make check" in text
    assert "make test" in text
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_schema_of_the_config_is_up_to_date() -> None:
    assert (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8") == schema(), "run: make fix"


def test_reference_of_the_config_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/config_reference.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == done.stdout, "run: make fix"


def test_changelog_knows_the_version() -> None:
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
