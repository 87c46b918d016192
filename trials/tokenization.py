"""Texts as token ids; never imports torch, since exported students are run without it.

Shape letters: N = texts, T = positions.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

PADDING, END = 0, 1
"""Ids of the token that fills a row up, and of the one that ends a text, in a tokenizer that is trained here."""

SMALLEST_VOCABULARY = 2 + 256
"""Both of these, and every byte."""

_SPECIAL = ("<pad>", "<end>")


@dataclass(frozen=True)
class Tokenizer:
    """Cuts texts into tokens.

    Args:
        definition: The JSON that the library ``tokenizers`` reads; all that the tokenizer is.
    """

    definition: str

    def __post_init__(self) -> None:
        """Reject what the library cannot read.

        Raises:
            ValueError: It cannot.
        """
        self._library  # noqa: B018 # read for the error that it may raise

    @cached_property
    def _library(self) -> tokenizers.Tokenizer:
        try:
            library = tokenizers.Tokenizer.from_str(self.definition)
        except Exception as error:  # the library raises bare exceptions
            raise ValueError(f"this is no tokenizer that the library tokenizers can read: {error}") from error
        library.no_padding()
        library.no_truncation()
        return library

    @property
    def vocabulary_size(self) -> int:
        """Count the tokens, special ones among them."""
        return int(self._library.get_vocab_size(with_added_tokens=True))

    @property
    def vocabulary(self) -> dict[str, int]:
        """Give the id of each token, as the tokenizer writes it."""
        found: dict[str, int] = self._library.get_vocab(with_added_tokens=True)
        return found

    @property
    def can_be_narrowed(self) -> bool:
        """Whether it is one that ``train_tokenizer`` made."""
        record = json.loads(self.definition)
        specials = [token["content"] for token in record["added_tokens"]]
        return bool(record["model"].get("type") == "BPE" and specials == list(_SPECIAL))

    def encode(self, texts: Sequence[str], *, length: int) -> NDArray[np.int64]:
        """Turn texts into rows of token ids, ``ids_NT``.

        Args:
            texts: At least one.
            length: Most tokens of a text; what is longer is cut off.

        Returns:
            As long as the longest row, and 1 at least; shorter rows end in ``PADDING``.
        """
        rows = [ids[:length] for ids in self.ids_of(texts)]
        ids_NT = np.full((len(rows), max(1, *map(len, rows))), PADDING, dtype=np.int64)
        for row, ids in zip(ids_NT, rows, strict=True):
            row[: len(ids)] = ids
        return ids_NT

    def ids_of(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the token ids of each text, as many as there are."""
        return [encoding.ids for encoding in self._library.encode_batch_fast(list(texts))]

    def ids_and_spans(self, texts: Sequence[str]) -> tuple[list[list[int]], list[NDArray[np.int64]]]:
        """Give the token ids of each text, and where each token stands in it.

        A token stands from its first character to the one after its last; where one character of several bytes is
        several tokens, all stand at it.

        Returns:
            Ids, and spans (T, 2).
        """
        encodings = self._library.encode_batch(list(texts))
        spans = [np.array(each.offsets, dtype=np.int64).reshape(-1, 2) for each in encodings]
        return [each.ids for each in encodings], spans

    def decode(self, ids: Iterable[int]) -> str:
        """Turn token ids into text; special tokens say nothing."""
        text: str = self._library.decode([int(token) for token in ids], skip_special_tokens=True)
        return text

    def bare(self) -> "Tokenizer":
        """Give the same without the special tokens that it puts around each text."""
        record = json.loads(self.definition)
        if record.get("post_processor") is None:
            return self
        return Tokenizer(json.dumps({**record, "post_processor": None}, ensure_ascii=False))

    def narrowed(self, vocabulary_size: int) -> "Tokenizer":
        """Keep the first tokens only.

        Of byte-level BPE these are what training for the smaller vocabulary would have found: each merge is chosen
        after those before it.

        Args:
            vocabulary_size: From ``SMALLEST_VOCABULARY`` to that of the tokenizer.

        Raises:
            ValueError: There are not as many tokens, or the tokenizer is not one that ``train_tokenizer`` made.
        """
        if vocabulary_size == self.vocabulary_size:
            return self
        if not self.can_be_narrowed:
            raise ValueError(
                "only a tokenizer that was trained here can be cut to a smaller vocabulary; leave it whole"
            )
        record = json.loads(self.definition)
        if not SMALLEST_VOCABULARY <= vocabulary_size <= self.vocabulary_size:
            raise ValueError(
                f"vocabulary_size must be {SMALLEST_VOCABULARY} to {self.vocabulary_size}, got {vocabulary_size}"
            )
        model = record["model"]
        kept = {token: number for token, number in model["vocab"].items() if number < vocabulary_size}
        model["merges"] = [pair for pair in model["merges"] if "".join(pair) in kept]
        model["vocab"] = kept
        return Tokenizer(json.dumps(record, ensure_ascii=False))


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int) -> Tokenizer:
    """Learn byte-level byte-pair encoding (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909).

    Every text can be written in it, and comes back as it was. The same texts in the same order give the same tokenizer.

    Args:
        texts: To learn from.
        vocabulary_size: At least ``SMALLEST_VOCABULARY``. Few texts may give fewer tokens.

    Raises:
        ValueError: The vocabulary is too small.
    """
    if vocabulary_size < SMALLEST_VOCABULARY:
        raise ValueError(f"vocabulary_size must be at least {SMALLEST_VOCABULARY}, got {vocabulary_size}")
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(_SPECIAL),
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    library.train_from_iterator(texts, trainer)
    return Tokenizer(library.to_str())


def read_tokenizer(path: str | Path) -> Tokenizer:
    """Read a ``tokenizer.json``, or the one of a folder.

    Raises:
        ValueError: There is none, or it cannot be read.
    """
    path = Path(path)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"expected a tokenizer.json at {path}, found none")
    try:
        return Tokenizer(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
