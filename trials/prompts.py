"""Beginnings of documents, which models go on from."""

from dataclasses import dataclass

import numpy as np

from trials.data import Dataset
from trials.tokenization import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The beginning of a document.

    Args:
        document: Its row among the documents.
        text: Of the beginning.
        reference: How it goes on.
    """

    document: int
    text: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How beginnings are cut off.

    Args:
        most: Documents, evenly spread, at most.
        begins: Tokens of a beginning.
        goes_on: Tokens of what is written after it, and compared with, at most.
    """

    most: int
    begins: int
    goes_on: int


def prompts_of(documents: Dataset, tokenizer: Tokenizer, cut: Cut, *, split: str) -> list[Prompt]:
    """Cut the beginnings off the documents of a split that are long enough to go on; none where none is.

    Args:
        documents: Texts, before they are packed.
        tokenizer: Counts tokens.
        cut: How.
        split: Of the documents.
    """
    assert isinstance(documents.inputs, list)
    rows = documents.splits[split]
    ids = tokenizer.ids_of([documents.inputs[row] for row in rows])
    long = [n for n, tokens in enumerate(ids) if len(tokens) > cut.begins]
    if not long:
        return []
    chosen = [long[n] for n in np.linspace(0, len(long) - 1, min(cut.most, len(long))).astype(int)]
    until = cut.begins + cut.goes_on
    return [
        Prompt(
            document=int(rows[n]),
            text=tokenizer.decode(ids[n][: cut.begins]),
            reference=tokenizer.decode(ids[n][cut.begins : until]),
        )
        for n in chosen
    ]
