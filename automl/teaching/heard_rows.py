"""The rows about which teachers are asked, and where their answers lie in the cache."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from teachers.digests import RawRows
from trials.data import Dataset


@dataclass(frozen=True, kw_only=True, eq=False)
class HeardRows:
    """Training rows, and after them validation rows, on which teachers are judged; nobody reads answers about others.

    It is sliced as an array of inputs is, without a copy of all of them.

    Args:
        inputs: Raw, of all rows of the data set.
        order: Numbers of the rows, in the order in which they are kept.
        num_train: How many of these are training rows.
    """

    inputs: RawRows
    order: NDArray[np.int64]
    num_train: int

    @classmethod
    def of(cls, dataset: Dataset) -> "HeardRows":
        """Read the splits."""
        train, validation = dataset.splits["train"], dataset.splits["validation"]
        return cls(inputs=dataset.inputs, order=np.concatenate([train, validation]), num_train=len(train))

    @property
    def training(self) -> "HeardRows":
        """Those that students learn from; where answers lie stays the same."""
        return HeardRows(inputs=self.inputs, order=self.order[: self.num_train], num_train=self.num_train)

    @property
    def num_judged(self) -> int:
        """How many are validation rows."""
        return len(self.order) - self.num_train

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """Where each row of the data set lies (N,); -1 for those that are not kept."""
        positions: NDArray[np.int64] = np.full(len(self.inputs), -1)
        positions[self.order] = np.arange(len(self.order))
        return positions

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.order)

    def __getitem__(self, chosen: slice) -> RawRows:
        """Give the inputs of some of them."""
        rows = self.order[chosen]
        return [self.inputs[row] for row in rows] if isinstance(self.inputs, list) else self.inputs[rows]
