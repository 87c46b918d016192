"""Documents packed into rows of tokens, of which a language model learns each from those before it.

Shape letters: N = rows, T = positions of a row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL
from trials.annotating import NEXT, UNKNOWN, Annotator, annotated_tokens
from trials.data import SPLITS, Dataset
from trials.tokenization import END, PADDING, Tokenizer


def pack_documents(
    dataset: Dataset, tokenizer: Tokenizer, *, length: int, end: int = END, annotate: Annotator | None = None
) -> Dataset:
    """Turn each split's documents into rows of token ids with the next tokens as labels.

    Documents that share the values of all columns are joined in their order, one ``end`` before, between and behind
    them, and cut; so a row is of one value of each column, and every token, the first of a document and its end too, is
    a label once. What the last row of a value lacks is ``PADDING``, and ``MISSING_LABEL``.

    Args:
        dataset: Its inputs are texts; labels and names of classes are not read.
        tokenizer: Cuts the texts.
        length: Tokens of a row, at least 1.
        end: Token that ends a document.
        annotate: Gives facts of characters of whole documents, which their tokens carry into the rows.

    Returns:
        ``inputs`` (N, T) and ``labels`` (N, T), both int64; columns, splits and facts of the rows.

    Raises:
        ValueError: The inputs are no texts, or some of the labels are hidden from students.
    """
    if not isinstance(dataset.inputs, list):
        raise ValueError(
            f"a language model learns from texts, got {dataset.inputs.dtype} numbers; give the column text"
        )
    if dataset.labelled is not None:
        raise ValueError(
            "the next tokens are the labels of a language model, which sees them as inputs anyway; leave labelled out"
        )
    ids, labels, first_rows, splits, start = [], [], [], {}, 0
    facts: dict[str, list[NDArray[np.int32]]] = {}
    for split in SPLITS:
        rows = dataset.splits[split]
        for group in _groups(dataset, rows):
            documents, known = _tokens([dataset.inputs[row] for row in group], tokenizer, annotate)
            for name, fact_NT in _facts(known, length):
                facts.setdefault(name, []).append(fact_NT)
            inputs_NT, labels_NT = cut_rows(_stream(documents, end), length)
            ids.append(inputs_NT)
            labels.append(labels_NT)
            first_rows += [int(group[0])] * len(inputs_NT)
        num_rows = len(first_rows)
        splits[split] = np.arange(start, num_rows, dtype=np.int64)
        start = num_rows
    return replace(
        dataset,
        inputs=np.concatenate(ids),
        labels=np.concatenate(labels),
        class_names=(),
        splits=splits,
        columns={name: column[first_rows] for name, column in dataset.columns.items()},
        vocabulary_size=tokenizer.vocabulary_size,
        facts={name: np.concatenate(parts) for name, parts in facts.items()},
    )


def _groups(dataset: Dataset, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Give the rows that share the values of all columns, in the order in which the values come up."""
    together: dict[tuple[object, ...], list[int]] = {}
    for row in rows.tolist():
        together.setdefault(tuple(column[row].item() for column in dataset.columns.values()), []).append(row)
    yield from (np.array(group, dtype=np.int64) for group in together.values())


def _tokens(
    texts: Sequence[str], tokenizer: Tokenizer, annotate: Annotator | None
) -> tuple[list[list[int]], Sequence[Mapping[str, NDArray[np.int64]]]]:
    """Give the tokens of each text, and their facts if there is an annotator."""
    return (tokenizer.ids_of(texts), ()) if annotate is None else annotated_tokens(texts, tokenizer, annotate)


def _stream(documents: Iterable[Iterable[int]], end: int) -> NDArray[np.int64]:
    return np.array([end, *(token for ids in documents for token in (*ids, end))], dtype=np.int64)


def _facts(known: Sequence[Mapping[str, NDArray[np.int64]]], length: int) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Lay facts where their tokens are: as inputs, and as labels."""
    for name in known[0] if known else ():
        stream = _stream((facts[name].tolist() for facts in known), UNKNOWN)
        parts = cut_rows(stream, length, padding=UNKNOWN, missing=UNKNOWN)
        yield from zip((name, f"{NEXT}{name}"), (part.astype(np.int32) for part in parts), strict=True)


def cut_rows(
    stream: NDArray[np.int64], length: int, *, padding: int = PADDING, missing: int = MISSING_LABEL
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut a stream into inputs and, one token further, labels."""
    num_rows = -(-(len(stream) - 1) // length)
    inputs = np.full(num_rows * length, padding, dtype=np.int64)
    labels = np.full(num_rows * length, missing, dtype=np.int64)
    inputs[: len(stream) - 1], labels[: len(stream) - 1] = stream[:-1], stream[1:]
    return inputs.reshape(num_rows, length), labels.reshape(num_rows, length)


def row_texts(inputs_NT: NDArray[np.int64], tokenizer: Tokenizer) -> Sequence[str]:
    """Give the text of each row, as teachers of another tokenizer read it."""
    return [tokenizer.decode(ids[ids != PADDING].tolist()) for ids in inputs_NT]
