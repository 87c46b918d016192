"""Batches of an epoch: each row once, by chance, and those of one length together."""

import numpy as np
import pytest

from trials.ordering import BATCHES_TOGETHER, batches_of_epoch

ROWS = np.arange(100, 4100)
LENGTHS = np.random.default_rng(1).geometric(0.03, size=5000)


def batches(seed: int = 0, *, by_length: bool = True, num_batches: int = 70) -> list[np.ndarray]:
    lengths = LENGTHS if by_length else None
    generator = np.random.default_rng(seed)
    return batches_of_epoch(ROWS, num_batches=num_batches, generator=generator, lengths=lengths)


def padded(found: list[np.ndarray]) -> int:
    return sum(len(rows) * LENGTHS[rows].max() for rows in found)


@pytest.mark.parametrize("by_length", [True, False])
def test_each_row_comes_once_in_batches_of_nearly_one_size(by_length: bool) -> None:
    found = batches(by_length=by_length)
    assert sorted(np.concatenate(found)) == list(ROWS)
    assert {len(rows) for rows in found} == {57, 58}


def test_the_generator_alone_decides() -> None:
    one, again, other = batches(), batches(), batches(1)
    assert all(map(np.array_equal, one, again))
    assert {tuple(rows) for rows in one}.isdisjoint({tuple(rows) for rows in other})


def test_little_is_padded_and_short_batches_come_at_any_time() -> None:
    tokens = LENGTHS[ROWS].sum()
    assert padded(batches()) < 1.35 * tokens < 2.5 * tokens < padded(batches(by_length=False))
    longest = [LENGTHS[rows].max() for rows in batches()]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.25


def test_rows_of_one_length_are_only_shuffled() -> None:
    same = np.ones(5000, dtype=np.int64)
    found = batches_of_epoch(ROWS, num_batches=4, generator=np.random.default_rng(0), lengths=same)
    assert BATCHES_TOGETHER >= 4
    plain = batches(by_length=False, num_batches=4)
    assert {tuple(rows) for rows in found} == {tuple(rows) for rows in plain}
