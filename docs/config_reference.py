"""Writes docs/config.md from the models of the config: ``python docs/config_reference.py > docs/config.md``.

Names, types, defaults and descriptions come from the JSON schema, so that the page says what the program reads.
"""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from automl.config import Config

Schema = Mapping[str, Any]

HEAD = """\
# Configuration

<!-- Written by docs/config_reference.py; `make fix` writes it anew. -->

A search is one YAML file. `automl init` writes one with comments; `automl check` reads it and trains nothing.

- **Unknown keys are errors**, and the message names the nearest known key and the line.
- **Files are found from the folder of the config.** `runs` is found from the folder where the command is typed.
- **Plain scalars are read as YAML 1.2 has them**: `1e-3` is a number, `no` is a text.
- **"may be searched"** means that a setting takes one value, a list to choose from, or (where it is a number) a range
  `{low, high}` with `step` or `log: true`. What is a list or a range is searched together with the architecture.
- **`package.module:name`** is code of yours that Python can import; file paths and expressions are not taken.
  Reading a config, by `check` too, imports and calls what it names: treat a config of a stranger as code.
- **`${NAME}`** in `storage` and `tracking.uri` stands for an environment variable. What it holds is never written down.

`docs/config.schema.json` is the same as a JSON schema. An editor with a YAML language server completes keys and
underlines mistakes in a config that begins with `# yaml-language-server: $schema=PATH/config.schema.json`.
"""

PARTS = {
    "data": {
        "Split": "`split`",
        "RowLimits": "`limit_rows`",
        "ImageAugmentation": "`augmentation` of kind `image`",
        "NoiseAugmentation": "`augmentation` of kind `noise`",
    },
    "teachers": {"Covers": "`covers`", "Preprocessing": "`preprocessing`", "FixedStudent": "`student` of a teacher"},
    "search": {
        "Sampler": "`sampler`",
        "Stall": "`stall`",
        "Halving": "`halving`",
        "WarmStart": "`warm_start`",
        "Proxy": "`proxy`",
    },
}
"""Sections within sections, each with its title."""

WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


class Reference:
    """The page, section by section.

    Args:
        schema: Of the whole config.
    """

    def __init__(self, schema: Schema) -> None:
        self._definitions: Mapping[str, Schema] = schema["$defs"]
        self._schema = schema

    def write(self) -> str:
        """Give the page as Markdown."""
        parts = [HEAD, "## The whole config\n", self._table(self._schema)]
        for name, field in self._schema["properties"].items():
            parts += self._section(name, field)
        parts += ["## A loss\n", "One entry of `recipe.losses`, by name of the loss.\n"]
        parts += [self._table(self._definitions["Loss"])]
        parts += ["Further keys are options of the loss, such as `temperature`; each may be searched.\n"]
        parts += ["## A range\n", self._table(self._definitions["NumberRange"])]
        return "\n".join(parts)

    def _section(self, name: str, field: Schema) -> Iterator[str]:
        inner = next((form for form in field.get("anyOf", []) if "$ref" in form), field.get("items", field))
        kinds = [self._resolved(kind) for kind in inner.get("oneOf", [])]
        definition = self._resolved(inner)
        if not kinds and "properties" not in definition:
            return
        yield f"## `{name}`\n"
        if kinds:
            yield f"{field['description']}\n"
            yield from self._kinds(kinds)
        else:
            yield f"{definition['description']}\n"
            yield self._table(definition)
        for part, title in PARTS.get(name, {}).items():
            yield f"### {title}\n"
            yield f"{self._definitions[part]['description']}\n"
            yield self._table(self._definitions[part])

    def _kinds(self, kinds: list[Schema]) -> Iterator[str]:
        """Tell what all kinds have in common once, then what each has of its own."""
        first = kinds[0]["properties"]
        common = [name for name in first if all(name in kind["properties"] for kind in kinds) and name != "kind"]
        common = [name for name in common if all(kind["properties"][name] == first[name] for kind in kinds)]
        yield "Every kind has these keys, and `kind` itself.\n"
        yield self._table(kinds[0], only=common)
        for kind in kinds:
            yield f"### `kind: {kind['properties']['kind']['const']}`\n"
            yield f"{kind['description']}\n"
            yield self._table(kind, only=[name for name in kind["properties"] if name not in common])

    def _resolved(self, schema: Schema) -> Schema:
        return self._definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema

    def _table(self, definition: Schema, *, only: Collection[str] | None = None) -> str:
        required = definition.get("required", [])
        rows = ["| key | takes | default | meaning |", "| --- | --- | --- | --- |"]
        for name, field in definition["properties"].items():
            if (name == "kind" and "const" in field) or (only is not None and name not in only):
                continue
            default = "**needed**" if name in required else self._default(field)
            rows.append(f"| `{name}` | {self._takes(field)} | {default} | {_cell(self._meaning(field))} |")
        return "\n".join(rows) + "\n"

    def _meaning(self, field: Schema) -> str:
        return str(field.get("description") or self._resolved(field).get("description", ""))

    def _default(self, field: Schema) -> str:
        default = field.get("default")
        if isinstance(default, Mapping):
            return "its defaults" if default else "none"
        return "none" if default == [] else f"`{json.dumps(default)}`".replace('"', "")

    def _takes(self, field: Schema) -> str:  # noqa: PLR0911 - one line for each form of a field
        field = {**self._resolved(field), **field}
        if options := field.get("anyOf") or field.get("oneOf"):
            return self._either(options)
        if "enum" in field:
            return " or ".join(f"`{option}`" for option in field["enum"])
        if "const" in field:
            return f"`{field['const']}`"
        if isinstance(field.get("type"), list):
            return ", ".join(WORDS[name] for name in field["type"][:-1]) + f" or {WORDS[field['type'][-1]]}"
        if field.get("type") == "array":
            if "prefixItems" in field:
                return "[height, width]"
            items = self._resolved(field["items"])
            return "list of sections" if "oneOf" in items else f"list ({self._takes(items)})"
        if field.get("format") == "path":
            return "path"
        if "properties" in field:
            keys = field["properties"]
            return "{train, validation, test}" if keys.keys() == {"train", "validation", "test"} else "section"
        if field.get("type") == "object":
            return "names with values"
        return WORDS.get(str(field.get("type")), "anything") + _bounds(field)

    def _either(self, options: list[Schema]) -> str:
        forms = [self._resolved(option) for option in options]
        if forms[0].get("type") != "array" and len(forms) > 1 and forms[1].get("type") == "array":
            return f"{self._takes(forms[0])}; may be searched"
        return " or ".join(dict.fromkeys(self._takes(option) for option in options))


def _bounds(field: Schema) -> str:
    names = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[name]:g}" for name, sign in names.items() if name in field]
    return f" {', '.join(bounds)}" if bounds else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(Reference(Config.model_json_schema()).write())
