"""From pydantic's errors to messages that say what was expected, what came and what to write."""

import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import Tag, ValidationError
from pydantic_core import ErrorDetails

from automl.config.part import Part
from automl.config.places import Path
from trials.near_names import and_known, near_name

EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "KEY: VALUE pairs",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "KEY: VALUE pairs",
    "string_type": "a text",
    "tuple_type": "a list",
}
BOUNDS = {
    "greater_than_equal": ("ge", "of at least"),
    "greater_than": ("gt", "above"),
    "less_than_equal": ("le", "of at most"),
    "less_than": ("lt", "below"),
}
WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
TABLES = ("csv", "parquet", "tsv")
UNKNOWN_KEY, WRONG_VALUE, MISSING = range(3)


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One thing that is wrong in a config.

    Args:
        path: Of the setting.
        message: What was expected, what came and what to write.
        rank: ``UNKNOWN_KEY``, ``WRONG_VALUE`` or ``MISSING``: which explains others.
        meant: Path of the key that an unknown one was probably meant to be.
    """

    path: Path
    message: str
    rank: int = WRONG_VALUE
    meant: Path | None = None


def mistakes(error: ValidationError, root: type[Part]) -> list[Mistake]:
    """Explain what pydantic found.

    A key that is missing because it was misspelt is told once, as the misspelt one.

    Args:
        error: From validating ``root``.
        root: The model of the whole config.
    """
    found = [mistake for details in error.errors() if (mistake := _explain(details, root)) is not None]
    misspelt = {mistake.meant for mistake in found if mistake.meant is not None}
    return [mistake for mistake in found if mistake.rank != MISSING or mistake.path not in misspelt]


def _explain(details: ErrorDetails, root: type[Part]) -> Mistake | None:
    path, owner, expected = locate(root, details["loc"])
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, owner, root)
    if kind == "missing":
        field = owner.model_fields[str(path[-1])]
        description = " ".join((field.description or "").split())
        return Mistake(path=path, message=f"this key is missing: {description}", rank=MISSING)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _unknown_kind(path, value, sorted(tag.removeprefix("=") for tag in _tagged(_bare(expected))))
    if kind == "model_type" and isinstance(expected, type) and issubclass(expected, Part):
        return Mistake(path=path, message=_no_section(expected, value))
    if kind == "too_short" and value:
        return None  # Its items are wrong, and each has a message of its own.
    return Mistake(path=path, message=_wrong_value(kind, value, context, details["msg"]))


def _no_section(part: type[Part], value: object) -> str:
    needed = [name for name, field in part.model_fields.items() if field.is_required()]
    message = f"expected KEY: VALUE pairs, got {shown(value)}"
    if len(needed) == 1 and not isinstance(value, list):
        return f"{message}; write {{{needed[0]}: {value}}}"
    return f"{message}; keys: {', '.join(sorted(part.model_fields))}"


def _wrong_value(kind: str, value: object, context: Mapping[str, Any], fallback: str) -> str:
    if kind in BOUNDS:
        key, word = BOUNDS[kind]
        return f"expected a number {word} {context[key]:g}, got {shown(value)}"
    if kind in EXPECTED:
        return f"expected {EXPECTED[kind]}, got {shown(value)}{_remedy(kind, value)}"
    if kind == "literal_error":
        return f"expected {context['expected']}, got {shown(value)}{_nearest(value, context['expected'])}"
    if kind == "too_short":
        return "expected at least one, got none"
    if kind == "value_error":
        text = str(context["error"])
        return f"{text}, got {shown(value)}" if text.startswith("expected") and ", got " not in text else text
    return f"{fallback[:1].lower()}{fallback[1:]}, got {shown(value)}"


def _unknown_key(path: Path, owner: type[Part], root: type[Part]) -> Mistake:
    key, known = str(path[-1]), sorted(owner.model_fields)
    near = near_name(key, known)
    elsewhere = [name for name, section in _sections(root) if key in section.model_fields]
    hint, meant = ";", None
    if elsewhere and near is not None and near.startswith(key):  # as ``student`` for ``students``
        hint = f", did you mean {near!r}, or does it belong into {elsewhere[0]}?"
    elif elsewhere:
        hint = f"; it belongs into {elsewhere[0]};"
    elif near is not None:
        hint, meant = f", did you mean {near!r}?", (*path[:-1], near)
    return Mistake(
        path=path, message=f"unknown key{hint} known keys: {', '.join(known)}", rank=UNKNOWN_KEY, meant=meant
    )


def _unknown_kind(path: Path, value: object, known: list[str]) -> Mistake:
    kinds = ", ".join(known)
    if not isinstance(value, dict):
        return Mistake(path=path, message=f"expected KEY: VALUE pairs, got {shown(value)}; kind is one of {kinds}")
    if value.get("kind") is None:
        return Mistake(path=path, message=f"the key 'kind' is missing; it is one of {kinds}", rank=MISSING)
    kind = str(value["kind"])
    if kind in TABLES and "table" in known:
        return Mistake(path=(*path, "kind"), message=f"a .{kind} file is of kind table; write kind: table ({kinds})")
    return Mistake(path=(*path, "kind"), message=unknown(kind, known, "kind"))


def _remedy(kind: str, value: object) -> str:
    """Say what to write, where that is plain."""
    written = ""
    if kind in ("int_type", "float_type"):
        written = _number(value, whole=kind == "int_type")
    elif kind == "bool_type":
        written = WORDS.get(str(value).lower(), "")
    elif kind == "string_type" and isinstance(value, int | float):
        written = f"'{shown(value)}', in quotes"
    elif kind == "tuple_type" and isinstance(value, str | int | float):
        written = f"[{value}]"
    return f"; write {written}" if written else ""


def _number(value: object, *, whole: bool) -> str:
    if isinstance(value, bool) or not isinstance(value, str | float):
        return ""
    try:
        number = float(value.replace("_", "")) if isinstance(value, str) else value
    except ValueError:
        return ""
    return f"{int(number)}" if number.is_integer() else "" if whole else f"{number:g}"


def _nearest(value: object, expected: str) -> str:
    near = near_name(str(value), [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")])
    return "" if near is None else f"; did you mean {near!r}?"


def unknown(name: str, known: Collection[str], what: str) -> str:
    """Say that a name is unknown, which one is near, and which there are.

    Args:
        name: What came.
        known: What could have come.
        what: What is named: ``metric``.
    """
    return f"unknown {what} {name!r}{and_known(name, known, 'known:')}"


def shown(value: object) -> str:
    """Show what stands in the config, in its own words and shortly."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    text = " ".join(yaml.safe_dump(value, default_flow_style=True, width=10**6).replace("\n...", "").split())
    return text if len(text) <= 60 else text[:57] + "..."


def _sections(root: type[Part]) -> Iterator[tuple[str, type[Part]]]:
    yield "the top level", root
    for name, field in root.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            yield name, field.annotation


def locate(root: type[Part], location: tuple[str | int, ...]) -> tuple[Path, type[Part], Any]:
    """Turn pydantic's place of an error into a path of the config.

    Args:
        root: The model of the whole config.
        location: Keys and positions, and between them the tags of unions.

    Returns:
        The path, the innermost section around its end, and the annotation of what stands there.
    """
    path: list[str | int] = []
    here: Any = root
    owner = root
    for step in location:
        here = _bare(here)
        if (tagged := _tagged(here)) and step in tagged:
            here = tagged[str(step)]
            continue
        if isinstance(here, type) and issubclass(here, Part):
            owner = here
            field = here.model_fields.get(str(step))
            here = _extra_of(here) if field is None else field.annotation
        elif get_args(here):
            here = get_args(here)[-1] if get_origin(here) is dict else get_args(here)[0]
        path.append(step)
    return tuple(path), owner, here


def _bare(annotation: Any) -> Any:
    """Take off ``Annotated`` and ``| None``."""
    while True:
        origin, inner = get_origin(annotation), [part for part in get_args(annotation) if part is not type(None)]
        optional = origin in (Union, types.UnionType) and len(inner) == 1
        if origin is not Annotated and not optional:
            return annotation
        annotation = inner[0]


def _tagged(annotation: Any) -> dict[str, Any]:
    if get_origin(annotation) not in (Union, types.UnionType):
        return {}
    return {
        mark.tag: branch
        for branch in get_args(annotation)
        for mark in getattr(branch, "__metadata__", ())
        if isinstance(mark, Tag)
    }


def _extra_of(part: type[Part]) -> Any:
    extra = part.__annotations__.get("__pydantic_extra__")
    return get_args(extra)[-1] if extra is not None else None
