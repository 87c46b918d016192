"""What all sections of a config have in common, and the types of their fields."""

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    Strict,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from automl.names import FOLDER_NAME
from search_spaces import Value

T = TypeVar("T")

FOLDER = "folder"
"""Key of the validation context: the folder that relative paths start from."""


class Part(BaseModel):
    """A section of a config: frozen, with the keys of its fields and no other; the docstring below a field tells it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_all_defaults(cls, value: Any) -> Any:
        """Take a section whose keys are all commented out as one that keeps its defaults."""
        return {} if value is None else value


def _nothing_is_empty(value: Any) -> Any:
    return () if value is None else value


def _nothing_is_no_pair(value: Any) -> Any:
    return {} if value is None else value


Listed = Annotated[tuple[T, ...], Strict(False), BeforeValidator(_nothing_is_empty)]
"""A list; an empty one may be left out after the colon."""

Named = Annotated[dict[str, T], BeforeValidator(_nothing_is_no_pair)]
"""A mapping from names that the user chooses."""

Options = Named[JsonValue]
"""Keyword arguments of a function, as plain data."""

Share = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[int, Field(ge=1)]
NaturalInt = Annotated[int, Field(ge=0)]
PositiveReal = Annotated[float, Field(gt=0)]
NaturalReal = Annotated[float, Field(ge=0)]


def _plain(value: object) -> Value:
    if isinstance(value, str | int | float | bool):
        return value
    raise ValueError("expected a text, a number, true or false")


def _number(value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError("expected a number")


# Left to itself, pydantic writes the truth values of such a union as 0 and 1.
_AsItIs = PlainSerializer(lambda value: value, return_type=Any)

Plain = Annotated[Value, PlainValidator(_plain), _AsItIs, WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""A text, a number, true or false, of the type that it was written as."""

Number = Annotated[int | float, PlainValidator(_number), _AsItIs, WithJsonSchema({"type": "number"})]
"""A number; whole ones stay whole."""


def _from_folder(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("expected a path")
    path = Path(value).expanduser()
    folder = (info.context or {}).get(FOLDER)
    return path if folder is None else Path(folder) / path


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text_or_whole(value: object) -> str | int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    raise ValueError("expected a text or a whole number")


NameText = Annotated[str, BeforeValidator(_text)]
"""A name that may look like a whole number, as those of classes do."""

TextOrWhole = Annotated[
    str | int, PlainValidator(_text_or_whole), _AsItIs, WithJsonSchema({"type": ["string", "integer"]})
]
"""A class by its name or its number, or a value of a column."""


def _height_and_width(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(value) == 2:
        return value
    raise ValueError("expected height and width, such as [32, 32]")


Size = Annotated[tuple[PositiveInt, PositiveInt], Strict(False), BeforeValidator(_height_and_width)]
"""Height and width."""

FilePath = Annotated[Path, PlainValidator(_from_folder), WithJsonSchema({"type": "string", "format": "path"})]
"""A file or folder; a relative one starts from the folder of the config, so that the config works from everywhere."""

IMPORT_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _import_name(value: str) -> str:
    if not IMPORT_NAME.fullmatch(value):
        raise ValueError(f"expected an import name such as 'package.module:name', got {value!r}")
    return value


def _catalog_or_import_name(value: str) -> str:
    return _import_name(value) if {":", ".", "/"} & set(value) else _catalog_name(value)


def _catalog_name(value: str) -> str:
    if not value.isidentifier():
        raise ValueError(f"expected a name, or an import name such as 'package.module:name', got {value!r}")
    return value


ImportName = Annotated[str, AfterValidator(_import_name)]
"""``package.module:name`` of the user's own code, importable in their environment."""

CatalogName = Annotated[str, AfterValidator(_catalog_or_import_name)]
"""A name that the project knows, or ``package.module:name``."""


def _folder_name(value: str) -> str:
    if not FOLDER_NAME.fullmatch(value):
        raise ValueError(f"expected letters, digits, '.', '_' and '-' (it names a folder), got {value!r}")
    return value


FolderName = Annotated[str, AfterValidator(_folder_name)]
"""A name that can name a folder, a file and an MLflow experiment."""
