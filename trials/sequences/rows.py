"""Texts that teachers wrote, as further rows of a packed data set.

Shape letters: N = rows, T = positions of a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL
from trials.annotating import UNKNOWN
from trials.data import Dataset
from trials.packing import cut_rows
from trials.sequences.best import Completion
from trials.tokenization import Tokenizer


def with_completions(
    dataset: Dataset,
    completions: Sequence[Completion],
    *,
    documents: Dataset,
    tokenizer: Tokenizer,
    end: int,
    share: float | None,
) -> Dataset:
    """Add texts to the training rows: of a prompt no token is a label, of what was written each is.

    Its end is one, too, where the text ended; of one that was cut off, nobody knows how it goes on.

    Texts after prompts of documents that share the values of all columns are packed together, as documents are. Of
    their tokens no facts are known.

    Args:
        dataset: Packed, of rows of T tokens.
        completions: At least one.
        documents: Whose beginnings the prompts are; gives the columns.
        tokenizer: Cuts the texts.
        end: Token that ends a text.
        share: Of the training rows, that the texts shall be: they are repeated, or cut off, in their order; 1 leaves
            nothing else to learn from. None takes each once.

    Returns:
        The same data with more rows; numbers of rows stay.
    """
    inputs, labels, firsts = [], [], []
    for group in _groups(documents, completions):
        stream, counts = [end], [False]
        for each in group:
            prompt, text = tokenizer.ids_of([each.prompt, each.text])
            stream += [*prompt, *text, end]
            counts += [*[False] * len(prompt), *[True] * len(text), each.ended]
        inputs_nT, labels_nT = cut_rows(np.array(stream, dtype=np.int64), dataset.inputs.shape[1])  # type: ignore[union-attr] # packed
        learnt_nT, _ = cut_rows(np.array([*counts[1:], False], dtype=np.int64), dataset.inputs.shape[1])  # type: ignore[union-attr] # packed
        labels_nT = np.where(learnt_nT == 1, labels_nT, MISSING_LABEL)
        kept = (labels_nT != MISSING_LABEL).any(axis=1)
        inputs.append(inputs_nT[kept])
        labels.append(labels_nT[kept])
        firsts += [group[0].document] * int(kept.sum())
    order = _shared(len(firsts), len(dataset.splits["train"]), share)
    columns = {name: documents.columns[name][firsts] for name in dataset.columns}
    rows = np.concatenate(inputs)[order], np.concatenate(labels)[order]
    columns = {name: values[order] for name, values in columns.items()}
    return _joined(dataset, *rows, columns, alone=share == 1)


def _groups(documents: Dataset, completions: Sequence[Completion]) -> list[list[Completion]]:
    together: dict[tuple[object, ...], list[Completion]] = {}
    for each in completions:
        values = tuple(column[each.document].item() for column in documents.columns.values())
        together.setdefault(values, []).append(each)
    return list(together.values())


def _shared(num_rows: int, num_others: int, share: float | None) -> NDArray[np.int64]:
    """Say which of the rows are taken, in order and perhaps several times."""
    wanted = num_rows if share is None or share == 1 else round(share / (1 - share) * num_others)
    return np.arange(max(1, wanted)) % num_rows


def _joined(
    dataset: Dataset,
    inputs_nT: NDArray[np.int64],
    labels_nT: NDArray[np.int64],
    columns: Mapping[str, NDArray[np.generic]],
    *,
    alone: bool,
) -> Dataset:
    assert isinstance(dataset.inputs, np.ndarray)
    added = np.arange(len(dataset), len(dataset) + len(inputs_nT), dtype=np.int64)
    train = added if alone else np.concatenate([dataset.splits["train"], added])
    return replace(
        dataset,
        inputs=np.concatenate([dataset.inputs, inputs_nT.astype(dataset.inputs.dtype)]),
        labels=np.concatenate([dataset.labels, labels_nT]),
        columns={name: np.concatenate([dataset.columns[name], values]) for name, values in columns.items()},
        splits={**dataset.splits, "train": train},
        facts={name: _with_unknown(values, len(inputs_nT)) for name, values in dataset.facts.items()},
    )


def _with_unknown(fact_NT: NDArray[np.signedinteger], num_rows: int) -> NDArray[np.signedinteger]:
    """Add rows of tokens of which nothing is known."""
    return np.concatenate([fact_NT, np.full((num_rows, fact_NT.shape[1]), UNKNOWN, dtype=fact_NT.dtype)])
