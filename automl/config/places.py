"""Where each setting stands in a YAML file, and reading YAML so that this is known.

Plain scalars are read as YAML 1.2 has them, not as 1.1: ``1e-3`` is a number, and ``no`` (Norwegian) is a text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automl.errors import UserError

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_KINDS = ("map", "seq", "str", "null", "bool", "int", "float")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


@dataclass(frozen=True)
class Places:
    """Line and column of every key and item of a file.

    Args:
        file: As the user named it; empty where a config was made in Python.
        marks: Line and column, from 1, by path.
    """

    file: str = ""
    marks: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Where settings stand is no part of what they say: two configs that say the same are equal."""
        return isinstance(other, Places)

    __hash__ = None  # type: ignore[assignment] # nothing keys by it

    def of(self, path: Path) -> str:
        """Say where a setting stands, or the nearest section around it that is written."""
        where = ":".join([self.file, *map(str, self.line_and_column(path))]) if self.file else ""
        return ": ".join(part for part in (where, dotted(path)) if part)

    def line_and_column(self, path: Path) -> tuple[int, ...]:
        """Give line and column of a setting, or of the nearest section around it that is written; else nothing."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.marks:
                return self.marks[path[:end]]
        return ()


def dotted(path: Path) -> str:
    """Write a path as messages do: ``teachers[1].covers``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class _Loader(yaml.SafeLoader):
    """Reads plain scalars as YAML 1.2 does."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML wants it


for _name, _pattern, _first in [
    ("null", _NULL, [*"~nN", ""]),
    ("bool", _BOOL, [*"tTfF"]),
    ("int", _INT, [*"-+0123456789"]),
    ("float", FLOAT, [*"-+.0123456789"]),
    ("merge", re.compile("<<"), ["<"]),
]:
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"(?:{_pattern.pattern})$"), _first)


def read_yaml(text: str, *, file: str) -> tuple[Any, Places]:
    """Read a YAML document and where its parts stand.

    Args:
        text: The document.
        file: As messages shall name it.

    Returns:
        Plain data (None for an empty document), and the places.

    Raises:
        UserError: It is no YAML, has a key twice, or uses what a config does not need.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(
            f"character {error.character:#x} cannot stand in YAML; remove it", place=f"{file}:{line}"
        ) from error
    places = Places(file=file)
    return (None if node is None else _Reader(places).read(node, ())), places


class _Reader:
    """Turns nodes into plain data and notes where they stand."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._open: list[Node] = []

    def read(self, node: Node, path: Path) -> Any:
        self._places.marks.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if any(node is around for around in self._open):
            raise self._error("an alias cannot stand within what it names", node, path)
        self._open.append(node)
        try:
            if node.tag.removeprefix(_TAG) not in _KINDS:
                raise self._error(f"a config takes plain values only, got {node.tag!r}; remove the tag", node, path)
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.read(item, (*path, position)) for position, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        pairs = [(key, value) for key, value in node.value if key.tag != f"{_TAG}merge"]
        merged: dict[str, Any] = {}
        for value in (value for key, value in node.value if key.tag == f"{_TAG}merge"):
            for other in self._merged(value, path):
                merged = {**other, **merged}
        values: dict[str, Any] = {}
        for key, value in pairs:
            if not isinstance(key, ScalarNode):
                raise self._error("a key must be a text", key, path)
            inner = (*path, key.value)
            if key.value in values:
                line, _ = self._places.marks[inner]
                raise self._error(f"this key stands here already, in line {line}; keep one", key, inner)
            self._places.marks[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
            values[key.value] = self.read(value, inner)
        return {**merged, **values}

    def _merged(self, node: Node, path: Path) -> Iterator[dict[str, Any]]:
        for part in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(part, MappingNode):
                raise self._error("<<: takes the keys of a mapping, such as *NAME of an anchor", part, path)
            yield self.read(part, path)

    def _scalar(self, node: Node, path: Path) -> Any:
        text, kind = node.value, node.tag.removeprefix(_TAG)
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool" and _BOOL.fullmatch(text):
            return text.lower() == "true"
        if kind == "int" and _INT.fullmatch(text):
            return int(text, 0 if text[:2] in ("0x", "0o") else 10)
        if kind == "float" and (FLOAT.fullmatch(text) or _INT.fullmatch(text)):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        raise self._error(f"{text!r} is no {kind}; remove the tag {node.tag!r}", node, path)

    def _error(self, message: str, node: Node, path: Path) -> UserError:
        where = f"{self._places.file}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        return UserError(message, place=": ".join(part for part in (where, dotted(path)) if part))


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> UserError:
    """Say what the commonest mistakes are, and what PyYAML says of the others."""
    mark = error.problem_mark or error.context_mark
    assert mark is not None
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    problem = error.problem or "it is no YAML"
    if "\t" in line[: mark.column + 1]:
        problem = "there is a tab; indent with spaces only"
    elif "mapping values are not allowed" in problem:
        problem = "a second ': ' on one line; put the value into quotes, or the key on a line of its own"
    elif "another document" in problem:
        problem = "a second document begins here; a config is one"
    elif error.context and error.context_mark is not None and error.context_mark.line != mark.line:
        problem = f"{problem} ({error.context} that begins in line {error.context_mark.line + 1})"
    return UserError(f"this is no YAML: {problem}", place=f"{file}:{mark.line + 1}:{mark.column + 1}")
