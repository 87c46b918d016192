"""What README and docs show is true: their code runs, their configs load, their commands parse.

A page is read as a reader would: files (blocks with a title) are written, then the page is followed from its top. Yaml
that is a part of a config is checked within a whole one. Pages that hold a config and commands are also followed for
real, by ``make test-slow``.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl.cli import make_parser
from automl.config import load_config

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<language>\w*)[ ]*(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="(?P<title>[^"]+)"')
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?:#(?P<anchor>[^)\s]+))?\)")

WHOLE = """
name: whole
data: {kind: sklearn, name: digits}
student: {space: mlp}
teachers: [{name: all, kind: train, student: {space: mlp, values: {depth: 1, activation: relu, normalisation: none,
  shortcut: false, dropout: 0.0, layer1.width: 8}}, recipe: {epochs: 1, batch_size: 64, learning_rate: 0.01,
  losses: {hard_label: {weight: 1.0}}}}]
recipe: {epochs: 1, batch_size: 64, learning_rate: 0.01, losses: {kd: {weight: 1.0}}}
objectives: [accuracy]
search: {trials: 1}
"""
"""A config that parts of a config are put into."""


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    titles = [(block, TITLE.search(block["info"])) for block in found]
    return [Block(block["language"], title["title"] if title else "", block["text"]) for block, title in titles]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> list[list[str]]:
    """Give the lines of console blocks as words; a trailing backslash goes on in the next line."""
    texts = [block.text.replace("\\\n", " ") for block in blocks(page) if block.language == "console"]
    return [shlex.split(line, comments=True) for text in texts for line in text.splitlines() if line.strip()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, from which modules can be imported; forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(sys.modules[name].__file__).startswith(str(tmp_path)):
            del sys.modules[name]


def write_files(page: Path, folder: Path) -> None:
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(block.language == language for block in blocks(page))]


@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_python_runs(page: Path, desk: Path) -> None:
    from trials.aggregation import AGGREGATIONS
    from trials.weighting import WEIGHTINGS

    write_files(page, desk)
    catalogs = [(catalog, dict(catalog)) for catalog in (AGGREGATIONS, WEIGHTINGS)]
    namespace: dict[str, Any] = {"__name__": "page"}
    try:
        for block in blocks(page):
            trains = "automl.search(" in block.text or "automl.distill(" in block.text
            needs_a_run = trains or block.text.startswith("# after a search")
            if block.language == "python" and not block.title and not needs_a_run:
                exec(compile(block.text, name_of(page), "exec"), namespace)
    finally:
        for catalog, before in catalogs:
            catalog.clear()
            catalog.update(before)  # type: ignore[arg-type] # each its own type of function


@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_python_that_searches_is_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, name_of(page), "exec")


@pytest.mark.parametrize("page", pages_with("yaml"), ids=name_of)
def test_yaml_loads(page: Path, desk: Path) -> None:
    from trials.weighting import WEIGHTINGS

    write_files(page, desk)
    with pytest.MonkeyPatch.context() as patch:
        if (desk / "majority.py").exists():  # the page adds it to the catalog
            patch.setitem(WEIGHTINGS, "majority", WEIGHTINGS["fixed"])
        for number, block in enumerate(block for block in blocks(page) if block.language == "yaml"):
            written = yaml.safe_load(block.text)
            path = desk / (block.title or f"block{number}.yaml")
            if "name" in written:
                path.write_text(block.text, encoding="utf-8")
            else:
                path.write_text(yaml.safe_dump({**yaml.safe_load(WHOLE), **written}), encoding="utf-8")
            load_config(path, files_must_exist=False)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=name_of)
def test_examples_load(path: Path) -> None:
    load_config(path, files_must_exist=False)


@pytest.mark.parametrize("page", pages_with("console"), ids=name_of)
def test_commands_are_ones_that_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in commands(page):
        if words[0] == "automl":
            said = io.StringIO()
            try:
                with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                    make_parser().parse_args(words[1:])
            except SystemExit as stop:
                assert stop.code == 0, f"{shlex.join(words)}: {said.getvalue()}"
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    dead = [
        match["target"]
        for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8")))
        if not re.match(r"[a-z]+:", match["target"]) and not (page.parent / match["target"]).exists()
    ]
    assert not dead


def test_pages_are_all_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [str(p.relative_to(ROOT / "docs")) for p in PAGES[1:] if str(p.relative_to(ROOT / "docs")) not in text] == []


def followed() -> list[Path]:
    return [page for page in PAGES if any(block.title == "config.yaml" for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", followed(), ids=name_of)
def test_page_works_when_it_is_followed(page: Path, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    # The folder that a reader puts on the path by `export PYTHONPATH=$PWD`.
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    ran = 0
    for words in commands(page):
        if words[0] not in ("automl", "python"):
            continue
        command = [sys.executable, *(["-m", "automl.cli"] if words[0] == "automl" else []), *words[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        ran += 1
    assert ran
