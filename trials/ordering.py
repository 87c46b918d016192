"""In which order, and in which company, rows are learnt from in an epoch."""

import numpy as np
from numpy.typing import NDArray

BATCHES_TOGETHER = 32
"""Batches that share out their rows by length: more save little more padding, and leave less to chance."""


def batches_of_epoch(
    rows: NDArray[np.int64],
    *,
    num_batches: int,
    generator: np.random.Generator,
    lengths: NDArray[np.int64] | None = None,
) -> list[NDArray[np.int64]]:
    """Shuffle rows and cut them into batches of nearly one size.

    A last batch of few rows would count as much as others, and batch norm fails on one row.

    Rows that differ in length are sorted within groups of ``BATCHES_TOGETHER`` shuffled batches, and the batches are
    shuffled again: a batch is then hardly padded, each epoch has other batches, and short and long ones take turns.

    Args:
        rows: Row numbers.
        num_batches: At most as many as rows.
        generator: Decides the order.
        lengths: Of all rows of the data set (N,); None where rows are of one size.

    Returns:
        Rows of each batch.
    """
    batches = np.array_split(generator.permutation(rows), num_batches)
    if lengths is None:
        return batches
    sorted_batches: list[NDArray[np.int64]] = []
    for start in range(0, num_batches, BATCHES_TOGETHER):
        group = batches[start : start + BATCHES_TOGETHER]
        together = np.concatenate(group)
        together = together[np.argsort(lengths[together], kind="stable")]
        sorted_batches += np.split(together, np.cumsum([len(batch) for batch in group])[:-1])
    return [sorted_batches[position] for position in generator.permutation(num_batches)]
