"""An encoder of texts from transformers, with a head that was fitted to its embeddings.

Shape letters: B = batch, b = rows of one run, T = positions, D = width of an embedding, C = classes.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from teachers.digests import record_digest, tensors_digest
from teachers.head_fitting import Head
from teachers.loading.answers import Answers
from teachers.loading.hub import library, load_module, reading, source_of
from teachers.loading.loaded import LoadedModel, existing_file
from teachers.loading.network import Network
from teachers.loading.text_batches import TextBatches, load_tokenizer, longest, masked_mean, split_features, texts_of
from teachers.loading.text_classifier import run_text
from teachers.loading.transformers import identity
from teachers.outputs import Inputs, Outputs

EMBEDDING = "embedding"
"""Feature: what the head reads, (B, D)."""

HEAD_FILE = "head.safetensors"

_POOLINGS = ("mean", "cls", "max")


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """How the tokens of a text become one vector.

    Args:
        mode: ``mean`` or ``max`` over the tokens, or the first token, ``cls``.
        normalise: Whether the vector is brought to length 1.
    """

    mode: str = "mean"
    normalise: bool = True

    def __call__(self, tokens_bTD: Tensor, mask_bT: Tensor) -> Tensor:
        """Pool (b, T, D) to (b, D); Reimers & Gurevych, 2019, section 3, https://arxiv.org/abs/1908.10084."""
        if self.mode == "cls":
            vector_bD = tokens_bTD[:, 0]
        elif self.mode == "max":
            vector_bD = tokens_bTD.masked_fill(mask_bT[:, :, None] == 0, float("-inf")).amax(dim=1)
        else:
            vector_bD = masked_mean(tokens_bTD, mask_bT)
        return nn.functional.normalize(vector_bD, dim=1) if self.normalise else vector_bD


class SentenceEncoder:
    """Gives the logits of its head; of texts that the head was fitted on, these are kept."""

    copies_held = 2
    """The arrays that it came as, and the network."""

    def __init__(
        self, network: Network, batches: TextBatches, pooling: Pooling, head: Head, answers: Answers | None
    ) -> None:
        """Put them together.

        Args:
            network: Takes ``input_ids`` and ``attention_mask``, gives (b, T, D).
            batches: Its tokenizer.
            pooling: Makes an embedding of the tokens.
            head: Takes the embedding.
            answers: Logits that are known.
        """
        self._network = network
        self._batches = batches
        self._pooling = pooling
        self._head = head
        self._answers = answers

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch; where a feature has positions, texts are filled up to the greatest length."""
        texts = texts_of(inputs)
        if features or self._answers is None:
            return self._computed(texts, tuple(features))
        known, logits_BC = self._answers.find(texts)
        if not known.all():
            unknown = np.flatnonzero(~known)
            logits_BC[unknown] = self._computed([texts[row] for row in unknown], ()).logits
        return Outputs(logits=logits_BC)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Give the embeddings of some texts (B, D)."""
        return self._computed(texts, (EMBEDDING,)).features[EMBEDDING]

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return self._network.feature_id(name)

    def _computed(self, texts: Sequence[str], features: tuple[str, ...]) -> Outputs:
        inner = split_features([name for name in features if self.feature_id(name) != EMBEDDING], self.feature_id)

        def run(ids_bT: Tensor, mask_bT: Tensor) -> Outputs:
            answer = run_text(self._network, ids_bT, mask_bT, inner)
            embedding_bD = self._pooling(answer.logits, mask_bT)
            asked = {name: embedding_bD for name in features if name not in inner}
            return Outputs(logits=self._head(embedding_bD), features={**answer.features, **asked})

        positions = any(not pool for _, pool in inner.values())
        return self._batches(texts, run, fixed=self._batches.max_length if positions else None)


def load_sentence_encoder(
    *,
    model: str,
    num_classes: int,
    head: str | Path | None = None,
    revision: str | None = None,
    max_length: int | None = None,
    batch: int = 32,
    taps: Mapping[str, str] | None = None,
) -> LoadedModel:
    """Load an encoder by its folder or its name on the hub, and the head that was fitted to it.

    How tokens are pooled is read from the files that sentence-transformers writes; without them, it is the mean of the
    tokens, brought to length 1.

    Args:
        model: A folder, a name on the hub, or ``package:name/folder``.
        num_classes: That the head tells apart.
        head: Folder that ``save_head`` wrote; None takes a head that says nothing.
        revision: Of a repository on the hub: a commit, tag or branch.
        max_length: Tokens of a text at most; None takes what the model was trained with, at most 512.
        batch: Texts of one run at most.
        taps: Names of features by alias.

    Raises:
        ValueError: It cannot be had, or does more to its embeddings than is known here.
    """
    source = source_of(model)
    module, _ = load_module(library().AutoModel, source, revision=revision)
    tokenizer = load_tokenizer(source, revision=revision)
    pooling, trained_length = _as_trained(source, revision)
    length = longest(max_length or trained_length, tokenizer, module.config)
    batches = TextBatches(tokenizer, max_length=length, batch=batch)
    config: Any = module.config
    fitted, answers = _untrained(config, num_classes), None
    if head is not None:
        fitted, answers = _read_head(Path(head))
    head_digest = tensors_digest({"weight": fitted.weight, "bias": fitted.bias})
    parts = [*identity(module, config), batches.digest, [pooling.mode, pooling.normalise], head_digest]
    return LoadedModel(
        model=SentenceEncoder(Network(module, taps), batches, pooling, fitted, answers),
        digest=record_digest(["sentence_encoder", *parts]),
    )


def save_head(folder: Path, head: Head, answers: Answers) -> None:
    """Write a head, and what it says of the rows that it was fitted on.

    Args:
        folder: There already.
        head: As fitted.
        answers: Its logits.
    """
    from safetensors.torch import save_file

    digests = answers.digests.view(np.uint8).reshape(len(answers.digests), answers.digests.itemsize)
    tensors = {
        "weight": head.weight,
        "bias": head.bias,
        "digests": torch.from_numpy(digests.copy()),
        "logits": torch.from_numpy(answers.logits),
    }
    save_file(tensors, folder / HEAD_FILE, metadata={"penalty": repr(head.penalty)})


def _read_head(folder: Path) -> tuple[Head, Answers]:
    from safetensors.torch import load_file

    tensors = load_file(existing_file(folder / HEAD_FILE, "head of a teacher"))
    digests = tensors["digests"].numpy()
    answers = Answers(np.ascontiguousarray(digests).view(f"S{digests.shape[1]}").reshape(-1), tensors["logits"].numpy())
    return Head(weight=tensors["weight"], bias=tensors["bias"]), answers


def _untrained(config: Any, num_classes: int) -> Head:  # of transformers
    width = int(config.hidden_size)
    return Head(weight=torch.zeros(num_classes, width), bias=torch.zeros(num_classes))


def _as_trained(source: str, revision: str | None) -> tuple[Pooling, int | None]:
    """Read how sentence-transformers was told to pool, and to how many tokens it cut texts."""
    modules = _stored(source, "modules.json", revision)
    sizes = _stored(source, "sentence_bert_config.json", revision)
    length = sizes.get("max_seq_length") if isinstance(sizes, dict) else None
    if not isinstance(modules, list):
        return Pooling(), length
    kinds = {str(each["type"]).rpartition(".")[2]: str(each.get("path", "")) for each in modules}
    if unknown := sorted(kinds.keys() - {"Transformer", "Pooling", "Normalize"}):
        raise ValueError(
            f"modules.json of {source} asks for {', '.join(unknown)}, and only Transformer, Pooling and Normalize are "
            "known here; give the model as kind: factory"
        )
    settings = _stored(source, f"{kinds['Pooling']}/config.json", revision) if "Pooling" in kinds else None
    return Pooling(mode=_mode(settings, source), normalise="Normalize" in kinds), length


def _mode(settings: object, source: str) -> str:
    if not isinstance(settings, dict):
        return "mean"
    modes = [name for name in settings if name.startswith("pooling_mode_") and settings[name] is True]
    mode = settings.get("pooling_mode") or "+".join(modes)
    mode = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}.get(
        mode, mode
    )
    if mode not in _POOLINGS:
        raise ValueError(f"{source} pools its tokens by {mode!r}, expected one of {', '.join(_POOLINGS)}")
    return str(mode)


def _stored(source: str, name: str, revision: str | None) -> object:
    """Read a file of JSON; None where there is none."""
    from transformers.utils import cached_file

    with reading(source):
        path = cached_file(
            source,
            name,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        found: object = None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))
    return found
