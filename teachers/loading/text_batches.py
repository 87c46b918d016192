"""Texts as token ids in small batches, for models that bring their own tokenizer.

Shape letters: B = batch, b = rows of one run, T = positions.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from teachers.digests import record_digest
from teachers.loading.hub import library, reading, source_of
from teachers.outputs import Inputs, Outputs
from teachers.padding_first import PaddingFirst, padding_first

DEFAULT_LENGTH = 512
"""Tokens of a text where neither the config nor the model says less."""

_PARALLEL = "TOKENIZERS_PARALLELISM"
_PARTS = ("normalizer", "pre_tokenizer", "model")

Run = Callable[[Tensor, Tensor], Outputs]
"""Takes ids (b, T) int64 and a mask (b, T), 1 where there is a token; gives logits and features (b, ...)."""


class TextBatches:
    """Cuts texts into tokens and runs them, the longest first, so that what fits at first fits all along."""

    def __init__(self, tokenizer: Any, *, max_length: int, batch: int) -> None:  # of transformers
        """Keep how to batch.

        Args:
            tokenizer: Of transformers.
            max_length: Tokens of a text at most; what is longer is cut off.
            batch: Texts of one run at most.
        """
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._batch = batch
        if tokenizer.pad_token_id is None:
            # What stands there is masked; models of this kind were trained without padding.
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token

    def __call__(self, texts: Sequence[str], run: Run, *, fixed: int | None = None) -> Outputs:
        """Run all texts.

        Args:
            texts: At least one.
            run: Runs some of them.
            fixed: Positions that every row is cut and filled up to, where features have positions; None takes as many
                as the longest text of a run has.

        Returns:
            Logits and features (B, ...) in the order of the texts.
        """
        rows = self.ids(texts, length=fixed)
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
        answers = []
        for start in range(0, len(order), self._batch):
            chosen = [rows[row] for row in order[start : start + self._batch]]
            answers.append(run(*self.padded(chosen, width=fixed)))
        back = torch.tensor(order).argsort()
        return Outputs(
            logits=torch.cat([answer.logits for answer in answers])[back],
            features={
                name: torch.cat([answer.features[name] for answer in answers])[back] for name in answers[0].features
            },
        )

    def ids(self, texts: Sequence[str], *, length: int | None = None) -> list[list[int]]:
        """Give the token ids of each text, special tokens among them, at least one."""
        with _as_parallel_as_torch():
            found: list[list[int]] = self.tokenizer(
                list(texts), truncation=True, max_length=min(length or self.max_length, self.max_length)
            )["input_ids"]
        # A tokenizer without special tokens gives nothing for an empty text, which no model can read.
        return [ids or [self.tokenizer.pad_token_id] for ids in found]

    def padded(self, rows: Sequence[Sequence[int]], *, width: int | None = None) -> tuple[Tensor, Tensor]:
        """Fill rows up at their ends: ids (b, T) and mask (b, T)."""
        width = width or max(map(len, rows))
        ids_bT = torch.full((len(rows), width), int(self.tokenizer.pad_token_id), dtype=torch.int64)
        mask_bT = torch.zeros(len(rows), width, dtype=torch.int64)
        for place, ids in enumerate(rows):
            ids_bT[place, : len(ids)] = torch.tensor(ids)
            mask_bT[place, : len(ids)] = 1
        return ids_bT, mask_bT

    @property
    def digest(self) -> str:
        """Name the tokenizer and the length."""
        return record_digest([definition_digest(definition_of(self.tokenizer)), self.max_length])


def load_tokenizer(source: str, *, revision: str | None) -> Any:  # of transformers
    """Load the tokenizer of a folder or of a repository.

    Raises:
        ValueError: There is none, or it is not one of the library ``tokenizers``.
    """
    with reading(source):
        tokenizer = library().AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"{source} has no tokenizer.json, which the tokenizer of a teacher is read from; load it with "
            "AutoTokenizer and write it with save_pretrained, which makes one where it can"
        )
    return tokenizer


def longest(asked: int | None, tokenizer: Any, config: Any) -> int:  # of transformers
    """Say how many tokens of a text are read: as asked, at most what the model has positions for.

    Raises:
        ValueError: More is asked for than there are positions.
    """
    positions = getattr(config, "max_position_embeddings", None)
    most = min(int(tokenizer.model_max_length), int(positions) if positions else 2**31)  # 10**30 where nobody knows
    if asked is not None and positions and asked > positions:
        raise ValueError(f"max_length must be at most {positions}, the positions that the model has, got {asked}")
    return asked or min(most, DEFAULT_LENGTH)


def definition_of(tokenizer: Any) -> str:  # of transformers
    """Give all that a tokenizer is, as the JSON of the library ``tokenizers``."""
    definition: str = tokenizer.backend_tokenizer.to_str()
    return definition


def definition_digest(definition: str) -> str:
    """Name how a tokenizer cuts texts and numbers tokens: equal where two give the same ids, special tokens apart.

    Args:
        definition: JSON of the library ``tokenizers``. How it fills up and cuts off does not count, nor which special
            tokens it puts around a text.
    """
    record = json.loads(definition)
    added = sorted((token["id"], token["content"]) for token in record.get("added_tokens", ()))
    return record_digest([added, *(record.get(part) for part in _PARTS)])


def numbering_of(own: str, definition: str) -> PaddingFirst | None:
    """Say how another tokenizer numbers the tokens of a model's own; None where it cuts texts in another way.

    Args:
        own: Definition of the model's, JSON of the library ``tokenizers``.
        definition: Of the other one: the same, or the same with padding first.
    """
    if definition_digest(own) == definition_digest(definition):
        return PaddingFirst(definition=own)
    found = padding_first(own)
    return found if definition_digest(found.definition) == definition_digest(definition) else None


def reads_alike(model: str, definition: str, *, revision: str | None) -> bool:
    """Tell whether a model's tokenizer cuts texts as another one does; nothing else of the model is read.

    Args:
        model: As ``hub.source_of`` takes it.
        definition: Of the other one, JSON of the library ``tokenizers``.
        revision: Of a repository on the hub.

    Raises:
        ValueError: There is no such model, or it has no tokenizer that can be read.
    """
    return numbering_of(definition_of(load_tokenizer(source_of(model), revision=revision)), definition) is not None


def texts_of(inputs: Inputs) -> list[str]:
    """Take inputs that must be texts.

    Raises:
        ValueError: They are numbers.
    """
    if not isinstance(inputs, list):
        raise ValueError(f"this teacher reads texts, got numbers of shape {tuple(inputs.shape)}")
    return inputs


def masked_mean(feature: Tensor, mask_bT: Tensor) -> Tensor:
    """Take the mean over the tokens of a text (b, T, D), those that fill it up left out; of others, over all."""
    if feature.ndim != 3 or feature.shape[1] != mask_bT.shape[1]:
        from teachers.taps import pooled

        return pooled(feature)
    weight_bT1 = mask_bT.to(feature.dtype)[:, :, None]
    return (feature * weight_bT1).sum(dim=1) / weight_bT1.sum(dim=1).clamp(min=1)


def split_features(names: Sequence[str], resolve: Callable[[str], str]) -> Mapping[str, tuple[str, bool]]:
    """Tell for each feature what a network is asked for, and whether its tokens are pooled here, where a mask is."""
    found = {}
    for name in names:
        own = resolve(name)
        base = own.removesuffix(".pooled")
        found[name] = (base, base != own)
    return found


@contextmanager
def _as_parallel_as_torch() -> Iterator[None]:
    """Let tokenizing take several threads only where PyTorch may, too; it reads its variable each time."""
    before = os.environ.get(_PARALLEL)
    os.environ[_PARALLEL] = "true" if torch.get_num_threads() > 1 else "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PARALLEL]
        else:
            os.environ[_PARALLEL] = before
