"""A student by its config in transformers: a kind of model with sizes of one's own, a local folder, or a hub name."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import nn

from search_spaces.signature import ModelSignature
from search_spaces.space import SearchSpace
from search_spaces.spec import StudentSpec
from search_spaces.text_choices import reading_choices
from search_spaces.transformers_configs import (
    base_values,
    checked_config,
    following,
    forbidden,
    from_data,
    library,
    plain,
    searched_fields,
    without_defaults,
)
from search_spaces.transformers_kinds import KINDS, kind_of, sized

_READ = 1 << 20


def transformers_models(
    *,
    model: str,
    pretrained: bool = False,
    revision: str | None = None,
    vocabulary_sizes: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
    **fields: object,
) -> SearchSpace:
    """Make a space of models of transformers of one type.

    What the data asks for tells the use: a class of an image or of a text, or the next token of a text. Token ids have
    padding 0 at their end, which the model does not see.

    Args:
        model: A model type, such as ``vit``, ``resnet``, ``bert`` or ``llama``; or a folder with a ``config.json``; or
            the name of a repository on the hub, whose config is downloaded. No code of a repository is run.
        pretrained: Start from the weights in the folder or repository, which must be safetensors. The classes, and
            what else has another shape there, start at random.
        revision: Of the repository: a commit, tag or branch.
        vocabulary_sizes: For texts: tokens that a student knows; None where they are fixed.
        lengths: For texts: tokens that a student reads at most, which are also the rows of a table of positions; None
            leaves that to the config. Without, MACs are those of one token.
        fields: Fields of the config. A list, or a range as ``{low: 1, high: 4}``, is searched; but of a field that is
            a list, or a mapping, in the config of the model type, it is the value. The size of images, their channels,
            the vocabulary, ids of tokens and the classes follow from the data.

    Returns:
        The space ``transformers``. All fields of the config that are not searched, and do not follow from those that
        are, are constants of it.

    Raises:
        ValueError: transformers is not installed, or the model, a field or a value is not one that it knows.
    """
    if taken := sorted(filter(from_data, fields)):
        raise ValueError(f"options {', '.join(taken)} follow from the data; leave them out")
    model_type, stored, commit = _described(model, pretrained=pretrained, revision=revision)
    choices = searched_fields(fields, checked_config(model_type, {}, stored=stored))
    names = {choice.name for choice in choices}
    base = {name: value for name, value in fields.items() if name not in names} | dict(base_values(choices))
    if choices:
        stored = without_defaults(model_type, stored)
    constants = {"model": model_type, **plain(checked_config(model_type, base, stored=stored))}
    if choices:
        given = {name: value for name, value in {**stored, **base}.items() if name not in names}
        for name in following(model_type, given, choices):
            constants.pop(name, None)
    build = build_transformers
    if pretrained:
        constants["pretrained"] = _name_of_weights(model, commit)
        build = partial(build_pretrained, source=model, revision=revision)
    fixed = {name: value for name, value in constants.items() if name not in ("model", "pretrained")}
    return SearchSpace(
        name="transformers",
        choices=(*reading_choices(vocabulary_sizes, lengths), *choices),
        build=build,
        constants=constants,
        forbids=partial(forbidden, model_type=model_type, fixed=fixed) if choices else None,
    )


def build_transformers(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Build an untrained model; PyTorch's generator decides its weights.

    Raises:
        ValueError: The model has no such use, or cannot have such sizes.
    """
    kind, config = kind_of(signature), sized(spec, signature)
    try:
        model = getattr(library(), kind.auto).from_config(config, dtype=torch.float32)
    except (ValueError, AssertionError, ZeroDivisionError, RuntimeError) as error:
        raise ValueError(
            f"model {spec.constants['model']!r} cannot be built with {dict(spec.values)}: {error}"
        ) from error
    return kind.wrap(model)


def build_pretrained(
    spec: StudentSpec, signature: ModelSignature, *, source: str, revision: str | None = None
) -> nn.Module:
    """Build a model and fill in the weights of a folder or repository, where their shapes fit.

    Raises:
        ValueError: The model has no such use, or there are no safetensors.
    """
    if torch.get_default_device().type == "meta":  # Counted only; weights would not be kept.
        return build_transformers(spec, signature)
    kind = kind_of(signature)
    with _quiet():
        try:
            model = getattr(library(), kind.auto).from_pretrained(
                source,
                config=sized(spec, signature),
                revision=revision,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                trust_remote_code=False,
                dtype=torch.float32,
            )
        except OSError as error:
            raise ValueError(f"the weights of {source!r} cannot be had as safetensors: {error}") from error
    return kind.wrap(model)


def _described(model: str, *, pretrained: bool, revision: str | None) -> tuple[str, dict[str, object], str]:
    """Read what is known of a model: its type, the fields of a stored config, and the commit that they are of."""
    types = sorted({name for kind in KINDS for name in kind.model_types()} if library() else ())
    if model in types:
        if pretrained or revision:
            raise ValueError(f"model type {model!r} has no weights; give a folder or a repository as the model")
        return model, {}, ""
    if not Path(model).is_dir() and "/" not in model:
        raise ValueError(f"unknown model {model!r}; it is no folder here, and model types are {', '.join(types)}")
    try:
        stored = library().AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"the config of {model!r} cannot be read: {error}") from error
    if stored.model_type not in types:
        uses = ", ".join(kind.what for kind in KINDS)
        raise ValueError(f"model {model!r} is a {stored.model_type!r}, of which transformers has no {uses}")
    return stored.model_type, plain(stored), str(getattr(stored, "_commit_hash", None))


def _name_of_weights(model: str, commit: str) -> str:
    """Name weights by their contents, or by the commit of the repository."""
    if not Path(model).is_dir():
        return commit
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
