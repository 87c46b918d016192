"""A student by its config in transformers: a kind of model with sizes of one's own, a local folder, or a hub name.

Shape letters: B = batch, C = classes, H, W = pixels.
"""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.signature import ModelSignature
from search_spaces.space import SearchSpace
from search_spaces.spec import StudentSpec

_FROM_DATA = ("image_size", "num_channels", "num_labels", "id2label", "label2id")
"""Fields of a config that follow from the data."""
_NOT_THE_MODEL = (
    *_FROM_DATA,
    "model_type",
    "architectures",
    "dtype",
    "problem_type",
    "transformers_version",
    "_name_or_path",
    "_commit_hash",
)
"""Fields that are no part of an architecture's name: they follow from the data, or say where it came from."""
_READ = 1 << 20


def transformers_models(
    *, model: str, pretrained: bool = False, revision: str | None = None, **fields: object
) -> SearchSpace:
    """Make a space of one image classifier of transformers.

    Args:
        model: A model type, such as ``vit``, ``resnet`` or ``convnext``; or a folder with a ``config.json``; or the
            name of a repository on the hub, whose config is downloaded. No code of a repository is run.
        pretrained: Start from the weights in the folder or repository, which must be safetensors. The classes, and
            what else has another shape there, start at random.
        revision: Of the repository: a commit, tag or branch.
        fields: Fields of the config. The size of images, their channels and the classes follow from the data.

    Returns:
        The space ``transformers``, without choices. All fields of the config are constants of it.

    Raises:
        ValueError: transformers is not installed, or the model, a field or a value is not one that it knows.
    """
    library = _library()
    if taken := sorted(set(fields) & set(_FROM_DATA)):
        raise ValueError(f"options {', '.join(taken)} follow from the data; leave them out")
    if model in _image_types():
        if pretrained or revision:
            raise ValueError(f"model type {model!r} has no weights; give a folder or a repository as the model")
        known = set(library.AutoConfig.for_model(model).to_dict())
        config = _config(library, model, known, fields)
    else:
        config = _stored_config(library, model, revision, fields)
    constants = {"model": config.model_type, **_plain(config)}
    if not pretrained:
        return SearchSpace(name="transformers", choices=(), build=build_transformers, constants=constants)
    return SearchSpace(
        name="transformers",
        choices=(),
        build=partial(build_pretrained, source=model, revision=revision),
        constants={**constants, "pretrained": _name_of_weights(model, config)},
    )


def build_transformers(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Build an untrained classifier; PyTorch's generator decides its weights.

    Raises:
        ValueError: The input is no image.
    """
    library = _library()
    config = _sized(spec, signature)
    return ImageClassifier(library.AutoModelForImageClassification.from_config(config, dtype=torch.float32))


def build_pretrained(
    spec: StudentSpec, signature: ModelSignature, *, source: str, revision: str | None = None
) -> nn.Module:
    """Build a classifier and fill in the weights of a folder or repository, where their shapes fit.

    Raises:
        ValueError: The input is no image, or there are no safetensors.
    """
    if torch.get_default_device().type == "meta":  # Counted only; weights would not be kept.
        return build_transformers(spec, signature)
    library = _library()
    with _quiet():
        try:
            model = library.AutoModelForImageClassification.from_pretrained(
                source,
                config=_sized(spec, signature),
                revision=revision,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                trust_remote_code=False,
                dtype=torch.float32,
            )
        except OSError as error:
            raise ValueError(f"the weights of {source!r} cannot be had as safetensors: {error}") from error
    return ImageClassifier(model)


class ImageClassifier(nn.Module):
    """A classifier of transformers that takes an image and returns logits."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap the model; its parts keep their names below ``model``."""
        super().__init__()
        self.model = model

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Turn normalised images into logits (B, C)."""
        logits_BC: Tensor = self.model(pixel_values=image_BCHW).logits
        return logits_BC


def _config(library: Any, model_type: str, known: set[str], fields: Mapping[str, object]) -> Any:
    """Make a config, and refuse fields that it would keep without a word."""
    attributes = type(library.AutoConfig.for_model(model_type)).attribute_map
    allowed = sorted((known | set(attributes)) - set(_NOT_THE_MODEL))
    for name in fields:
        if name not in allowed:
            near = sorted(difflib.get_close_matches(name, allowed, n=3))
            hint = f"did you mean one of {', '.join(near)}?" if near else f"its fields are {', '.join(allowed)}"
            raise ValueError(f"model {model_type!r} has no option {name!r}; {hint}")
    try:
        return library.AutoConfig.for_model(model_type, **fields)
    except Exception as error:  # The library has an error class of its own for each kind of check.
        raise ValueError(f"model {model_type!r} cannot have options {dict(fields)}: {error}") from error


def _stored_config(library: Any, model: str, revision: str | None, fields: Mapping[str, object]) -> Any:
    """Read the config of a folder or a repository, with some fields replaced."""
    if not Path(model).is_dir() and "/" not in model:
        known = ", ".join(_image_types())
        raise ValueError(f"unknown model {model!r}; it is no folder here, and model types are {known}")
    try:
        stored = library.AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"the config of {model!r} cannot be read: {error}") from error
    if stored.model_type not in _image_types():
        raise ValueError(f"model {model!r} is a {stored.model_type!r}, which transformers has no image classifier of")
    config = _config(library, stored.model_type, set(stored.to_dict()), {**_plain(stored), **fields})
    config._commit_hash = getattr(stored, "_commit_hash", None)
    return config


def _plain(config: Any) -> dict[str, object]:
    """Give all fields of a config that shape the model, with the defaults of its type: these may change."""
    return {name: value for name, value in config.to_diff_dict().items() if name not in _NOT_THE_MODEL}


def _sized(spec: StudentSpec, signature: ModelSignature) -> Any:
    """Make the config of a spec, for the images and classes of the data."""
    shape = signature.sole_input_shape
    if len(shape) != 3:
        raise ValueError(f"image classifiers need images (channels, height, width), got inputs of shape {shape}")
    channels, height, width = shape
    (num_classes,) = signature.sole_output_shape
    fields = {name: value for name, value in spec.constants.items() if name not in ("model", "pretrained")}
    config = _library().AutoConfig.for_model(str(spec.constants["model"]), **fields, num_labels=num_classes)
    if hasattr(config, "image_size"):
        config.image_size = height if height == width else [height, width]
    if hasattr(config, "num_channels"):
        config.num_channels = channels
    return config


def _name_of_weights(model: str, config: Any) -> str:
    """Name weights by their contents, or by the commit of the repository."""
    if not Path(model).is_dir():
        return str(config._commit_hash)
    files = sorted(Path(model).glob("*.safetensors"))
    if not files:
        raise ValueError(
            f"{model} has no .safetensors; save the model anew with save_pretrained, or leave pretrained out"
        )
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while part := file.read(_READ):
                digest.update(part)
    return digest.hexdigest()[:12]


def _library() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ValueError(
            f"space 'transformers' needs transformers ({error}); pip install 'automl-distill[transformers]'"
        ) from error
    return transformers


def _image_types() -> list[str]:
    """List the model types that have an image classifier."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

    return sorted(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back its bars and its report of weights that start at random, which ``pretrained`` announces."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
