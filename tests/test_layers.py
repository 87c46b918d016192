"""The rules of the house, read from the imports: who may import whom, and where each large library stands."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "teachers", "trials", "automl")

MAY_IMPORT = {
    "search_spaces": set(),
    "teachers": set(),
    "trials": {"search_spaces", "teachers"},
    "automl": {"search_spaces", "teachers", "trials"},
}
"""Which other packages a package may import."""

ONLY_IN = {
    "optuna": ["automl/samplers/*", "automl/study/ledger.py", "automl/study/journal.py"],
    "sqlalchemy": ["automl/study/ledger.py", "automl/study/storage_driver.py"],
    "ray": ["automl/cluster/executor.py", "automl/cluster/ray_start.py"],
    "mlflow": ["automl/tracking/*"],
    "nni": ["automl/samplers/nni_*.py", "search_spaces/nni_*.py"],
    "sklearn": ["trials/data/sklearn_sets.py"],
    "joblib": ["teachers/loading/estimator.py"],
    "skops": ["teachers/loading/estimator.py"],
    "transformers": ["teachers/loading/*", "search_spaces/transformers_*.py"],
    "timm": ["teachers/loading/*", "search_spaces/timm_models.py"],
    "tokenizers": ["trials/tokenization.py", "automl/tracking/text_student.py"],
    "datasets": ["trials/data/huggingface.py"],
    "pandas": ["trials/data/*", "automl/tracking/text_student.py"],
    "moocore": [
        "automl/front/pareto_front.py",
        "automl/front/hypervolume_history.py",
        "automl/front/ranking.py",
        "automl/samplers/pareto/outlook.py",
    ],
    "pydantic": ["automl/config/*", "automl/study/stored.py"],
    "yaml": ["automl/config/*"],
    "plotly": ["automl/report/*"],
    "matplotlib": ["automl/report/*"],
    "psutil": ["automl/*"],
    "rich": ["automl/*"],
}
"""Files that may import a library; it can then change or go without a second file noticing."""

LIGHT = ("automl", "automl.cli", "automl.predicting.predict")
"""Modules that must load in a moment: the command line, and what runs an exported student on a device."""
HEAVY = ("torch", "ray", "optuna", "mlflow", "pandas", "sklearn", "matplotlib", "plotly")

DRAWERS = ("utils", "util", "common", "helpers", "helper", "misc")
MOST_LINES = 350


@dataclass(frozen=True)
class Module:
    """A file of Python and what it imports: everywhere in it, and as it is loaded."""

    name: str
    path: Path
    all_imports: frozenset[str] = field(default=frozenset())
    loaded_imports: frozenset[str] = field(default=frozenset())


@cache
def modules() -> dict[str, Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[name] = Module(name, path, frozenset(names_of(ast.walk(tree))), frozenset(names_of(at_load(tree))))
    return found


def at_load(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs as a module is imported: no bodies of functions, nothing for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from at_load(node)


def names_of(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Give ``a.b`` of ``import a.b``, and ``a.b.c`` of ``from a.b import c``; c may be a module or not."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def targets(imports: frozenset[str]) -> set[str]:
    """Modules of the project that imports name."""
    known = modules()
    return {found for name in imports if (found := name if name in known else name.rpartition(".")[0] or name) in known}


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_lower_layers_only(package: str) -> None:
    wrong = [
        f"{module.path.relative_to(ROOT)} imports {name}"
        for module in modules().values()
        if top(module.name) == package
        for name in module.all_imports
        if top(name) in set(PACKAGES) - {package} - MAY_IMPORT[package]
    ]
    assert not wrong


def test_layers_find_the_imports_that_exist() -> None:
    """A rule that reads nothing would always hold."""
    assert "search_spaces" in {top(name) for name in modules()["trials.records"].all_imports}
    assert "torch" in {top(name) for name in modules()["trials.distill"].loaded_imports}
    assert "torch" not in {top(name) for name in modules()["automl"].loaded_imports}
    assert "automl.searching.search" in targets(modules()["automl"].all_imports)


def test_modules_import_in_no_circle() -> None:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "a circle: " + " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(targets(modules()[name].loaded_imports) - {name}):
                visit(target, (*trail, name))
            done.add(name)

    for name in modules():
        visit(name, ())


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_large_library_stands_in_its_place(library: str) -> None:
    wrong = [
        str(path)
        for module in modules().values()
        if library in {top(name) for name in module.all_imports}
        for path in [module.path.relative_to(ROOT)]
        if not any(fnmatch(str(path), pattern) for pattern in ONLY_IN[library])
    ]
    assert not wrong, f"{library} may be imported in {ONLY_IN[library]} only"


@pytest.mark.parametrize("name", LIGHT)
def test_light_module_loads_nothing_heavy(name: str) -> None:
    waiting, loaded = [name], set()
    while waiting:
        current = waiting.pop()
        if current in loaded or current not in modules():
            continue
        loaded.add(current)
        waiting += targets(modules()[current].loaded_imports)
        waiting += [current.rpartition(".")[0]]  # Python loads the package first
        heavy = {top(imported) for imported in modules()[current].loaded_imports} & set(HEAVY)
        assert not heavy, f"{name} loads {current}, which loads {sorted(heavy)}"


def test_command_line_starts_without_torch() -> None:
    code = f"import sys, {', '.join(LIGHT)}; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_no_file_is_a_drawer() -> None:
    paths = [path for module in modules().values() for path in [module.path.relative_to(ROOT)]]
    assert not [str(path) for path in paths if {path.stem, *path.parent.parts} & set(DRAWERS)]


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short_enough_to_read(package: str) -> None:
    lengths = {
        str(module.path.relative_to(ROOT)): len(module.path.read_text(encoding="utf-8").splitlines())
        for module in modules().values()
        if top(module.name) == package
    }
    assert not {path: length for path, length in lengths.items() if length > MOST_LINES}


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(module.path.relative_to(ROOT))
        for module in modules().values()
        if not ast.get_docstring(ast.parse(module.path.read_text(encoding="utf-8")))
    ]
    assert not silent
