"""How students read texts: the part of the vocabulary, and of a text, that a student sees.

Shape letters: N = rows, T = positions.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from search_spaces import StudentSpec
from teachers.digests import rows_digest
from trials.data import Dataset
from trials.tokenization import Tokenizer

LENGTH = 128
"""Tokens of a text that a student sees, where neither its space nor the config says."""

VOCABULARY_CHOICE, LENGTH_CHOICE = "vocabulary_size", "length"
"""Names of the choices of a space that say how its students read."""

MOST_READ = 4
"""Readings of a data set that a process keeps; the one that was used longest ago goes first."""

_read: OrderedDict[Hashable, NDArray[np.int32]] = OrderedDict()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How texts become rows of token ids.

    Args:
        tokenizer: Cuts texts into tokens.
        length: Most tokens of a text; what is longer is cut off.
    """

    tokenizer: Tokenizer
    length: int = LENGTH

    def of(self, spec: StudentSpec) -> "Reading":
        """Say how one student reads: as its choices say, where its space has any.

        Texts may have given fewer tokens than a student may have; it then has all that there are.
        """
        wanted = spec.values.get(VOCABULARY_CHOICE, self.tokenizer.vocabulary_size)
        length = spec.values.get(LENGTH_CHOICE, self.length)
        assert isinstance(wanted, int) and isinstance(length, int)
        vocabulary_size = min(wanted, self.tokenizer.vocabulary_size)
        return Reading(tokenizer=_narrowed(self.tokenizer, vocabulary_size), length=length)

    def read(self, dataset: Dataset) -> Dataset:
        """Give a data set of texts as its students see it: the same rows as ids (N, T), once a process."""
        texts = dataset.inputs
        assert isinstance(texts, list), "only texts are read"
        key = (rows_digest(texts), self.tokenizer, self.length)
        if key not in _read:
            _read[key] = self.tokenizer.encode(texts, length=self.length).astype(np.int32)  # Half the memory of int64.
            if len(_read) > MOST_READ:
                _read.popitem(last=False)
        _read.move_to_end(key)
        return self._as_tokens(dataset, _read[key])

    def outline(self, dataset: Dataset) -> Dataset:
        """Give the same without its tokens, which take seconds to find: whatever a signature asks is right."""
        return self._as_tokens(dataset, np.broadcast_to(np.int32(0), (len(dataset), 1)))

    def _as_tokens(self, dataset: Dataset, ids_NT: NDArray[np.int32]) -> Dataset:
        assert isinstance(dataset.inputs, list)
        return replace(dataset, inputs=ids_NT, vocabulary_size=self.tokenizer.vocabulary_size, texts=dataset.inputs)


@lru_cache(maxsize=32)
def _narrowed(tokenizer: Tokenizer, vocabulary_size: int) -> Tokenizer:
    return tokenizer.narrowed(vocabulary_size)  # Takes some 25 ms, and a search asks for hundreds of students.


def forget() -> None:
    """Drop what was read."""
    _read.clear()
