"""A teacher that is a model of transformers: a classifier of texts or images, or a causal language model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from teachers.digests import record_digest, tensors_digest
from teachers.loading.hub import library, load_module, source_of
from teachers.loading.image_classifier import ImageClassifier, stored_preprocessing
from teachers.loading.labels import label_columns
from teachers.loading.language_model import LanguageModel
from teachers.loading.loaded import LoadedModel
from teachers.loading.network import Network
from teachers.loading.text_batches import TextBatches, definition_digest, load_tokenizer, longest
from teachers.loading.text_classifier import TextClassifier
from teachers.preprocessing import Preprocessing

Reads = Literal["texts", "images", "tokens"]
"""What a row of the data is: a text or an image to be classified, or token ids of a language model."""

_NOT_THE_MODEL = ("_name_or_path", "_commit_hash", "transformers_version", "dtype", "torch_dtype", "architectures")
"""Fields of a config that say where it came from."""


def load_transformers(
    *,
    model: str,
    reads: Reads,
    class_names: Sequence[str] = (),
    labels: Sequence[int] | None = None,
    data_tokenizer: str | None = None,
    revision: str | None = None,
    max_length: int | None = None,
    batch: int = 16,
    preprocessing: Preprocessing | None = None,
    taps: Mapping[str, str] | None = None,
) -> LoadedModel:
    """Load a model by its folder or its name on the hub: safetensors, its tokenizer or its image sizes with it.

    No code of a repository is run. What comes from the hub stays in the library's own cache.

    Args:
        model: A folder that ``save_pretrained`` wrote, a name on the hub, or ``package:name/folder``.
        reads: What rows of the data are.
        class_names: Of the data, in the order of their numbers.
        labels: Classes of the data that it covers, in the order of the columns to give; None means all.
        data_tokenizer: Definition of the tokenizer that made the data's token ids; None takes them for the model's own.
        revision: Of a repository on the hub: a commit, tag or branch.
        max_length: Tokens of a text at most; None takes what the model allows, at most 512.
        batch: Rows of one run at most.
        preprocessing: Of images; None does what the files of the model say.
        taps: Names of features by alias.

    Raises:
        ValueError: It cannot be had, is of another kind, or its classes do not fit the data.
    """
    source = source_of(model)
    if preprocessing is not None and reads != "images":
        raise ValueError("preprocessing is for images; texts and tokens are prepared by the model's own tokenizer")
    if max_length is not None and reads == "images":
        raise ValueError("max_length is for texts, and the data are images; leave it out")
    options = {
        "class_names": class_names,
        "labels": labels,
        "data_tokenizer": data_tokenizer,
        "revision": revision,
        "max_length": max_length,
        "batch": batch,
        "preprocessing": preprocessing,
        "taps": taps,
    }
    return _LOADS[reads](source, **options)


def _text_classifier(
    source: str,
    *,
    class_names: Sequence[str],
    labels: Sequence[int] | None,
    revision: str | None,
    max_length: int | None,
    batch: int,
    taps: Mapping[str, str] | None,
    **_: object,
) -> LoadedModel:
    module, config = _classifier(source, library().AutoModelForSequenceClassification, revision)
    columns = label_columns(config.id2label, class_names=class_names, labels=labels)
    tokenizer = load_tokenizer(source, revision=revision)
    batches = TextBatches(tokenizer, max_length=longest(max_length, tokenizer, config), batch=batch)
    config.pad_token_id = tokenizer.pad_token_id  # Some find the last token of a text by it.
    digest = record_digest(["transformers", *identity(module, config), batches.digest, columns])
    return LoadedModel(model=TextClassifier(Network(module, taps), batches, columns), digest=digest)


def _image_classifier(
    source: str,
    *,
    class_names: Sequence[str],
    labels: Sequence[int] | None,
    revision: str | None,
    batch: int,
    preprocessing: Preprocessing | None,
    taps: Mapping[str, str] | None,
    **_: object,
) -> LoadedModel:
    module, config = _classifier(source, library().AutoModelForImageClassification, revision)
    columns = label_columns(config.id2label, class_names=class_names, labels=labels)
    for_bytes = preprocessing or stored_preprocessing(source, revision=revision, config=config)
    for_numbers = preprocessing or replace(for_bytes, scale=1.0)
    found = ImageClassifier(
        Network(module, taps), for_bytes=for_bytes, for_numbers=for_numbers, columns=columns, batch=batch
    )
    parts = [*identity(module, config), for_bytes.digest, for_numbers.digest, columns]
    return LoadedModel(model=found, digest=record_digest(["transformers", *parts]))


def _language_model(
    source: str,
    *,
    data_tokenizer: str | None,
    revision: str | None,
    max_length: int | None,
    batch: int,
    taps: Mapping[str, str] | None,
    **_: object,
) -> LoadedModel:
    module, missing = load_module(library().AutoModelForCausalLM, source, revision=revision)
    config: Any = module.config
    if missing:
        raise ValueError(
            f"{source} has no head that predicts tokens: its files lack {', '.join(missing[:3])}; give a causal "
            "language model"
        )
    config.use_cache = False
    tokenizer = load_tokenizer(source, revision=revision)
    batches = TextBatches(tokenizer, max_length=longest(max_length, tokenizer, config), batch=batch)
    found = LanguageModel(Network(module, taps), batches, data_tokenizer=data_tokenizer, batch=batch)
    # The same ids are other texts where another tokenizer made them.
    read_as = None if data_tokenizer is None else definition_digest(data_tokenizer)
    parts = [*identity(module, config), batches.digest, read_as]
    return LoadedModel(model=found, digest=record_digest(["transformers", *parts]))


def _classifier(source: str, auto: Any, revision: str | None) -> tuple[Any, Any]:  # of transformers
    """Load a classifier whose head is in the files."""
    module, missing = load_module(auto, source, revision=revision)
    if missing:
        raise ValueError(
            f"{source} has no head that classifies: its files lack {', '.join(missing[:3])}; take kind: "
            "sentence_encoder, which fits a head to an encoder of texts, or give a model that was trained to classify"
        )
    return module, module.config


_LOADS: dict[Reads, Callable[..., LoadedModel]] = {
    "texts": _text_classifier,
    "images": _image_classifier,
    "tokens": _language_model,
}


def identity(module: Any, config: Any) -> tuple[str, str]:  # of transformers
    """Name a network by its parameters and by the fields of its config."""
    fields = {name: value for name, value in config.to_dict().items() if name not in _NOT_THE_MODEL}
    return tensors_digest(module.state_dict()), record_digest(_plain(fields))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | bool) or value is None else repr(value)
