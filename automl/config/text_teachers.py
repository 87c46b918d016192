"""Teachers that are models of transformers, by their folder or their name on the hub."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema

from automl.config.part import FOLDER, Part, PositiveInt
from automl.config.teacher_parts import Coverage, Covers, Name, Prepared, Taps


def _place_of_model(value: Any, info: ValidationInfo) -> str:
    """Make the path of a folder that is there absolute; what is none is a package's folder or a name on the hub."""
    if not isinstance(value, str) or not value:
        raise ValueError("expected a folder, package:name/folder, or a name on the hub")
    folder = (info.context or {}).get(FOLDER)
    path = Path(value).expanduser()
    place = path if folder is None else Path(folder) / path
    is_path = place.is_dir() or value.startswith(("./", "../", "~", "/"))
    return str(place) if is_path and not value.startswith("package:") else value


ModelPlace = Annotated[
    str,
    PlainValidator(_place_of_model),
    WithJsonSchema({"type": "string"}),
    Field(
        description="A folder that save_pretrained wrote, from the folder of the config; package:name/folder of an "
        "installed package; or a name on the hub, kept in the cache of Hugging Face. Weights are read from safetensors "
        "alone, and no code of a repository is run."
    ),
]
Revision = Annotated[str | None, Field(description="Of a name on the hub: a commit, tag or branch; null takes main.")]


class TransformersTeacher(Part):
    """A model of transformers."""

    kind: Literal["transformers"]
    """A model of transformers: a classifier of texts or images, or a causal language model, as the data ask for."""
    name: Name
    covers: Coverage = Covers()
    model: ModelPlace
    revision: Revision = None
    max_length: PositiveInt | None = None
    """Tokens of a text at most; null takes what the model allows, at most 512."""
    batch: PositiveInt = 16
    """Rows that it reads at a time."""
    preprocessing: Prepared = None
    taps: Taps = Field(default={})


class SentenceEncoderTeacher(Part):
    """An encoder of texts with a head that is fitted before the search."""

    kind: Literal["sentence_encoder"]
    """An encoder of texts; a head is fitted to its embeddings before the search, on the rows that it covers."""
    name: Name
    covers: Coverage = Covers()
    model: ModelPlace
    revision: Revision = None
    max_length: PositiveInt | None = None
    """Tokens of a text at most; null takes what the model was trained with, at most 512."""
    batch: PositiveInt = 32
    """Texts that it reads at a time."""
    taps: Taps = Field(default={})
