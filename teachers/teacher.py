"""A teacher: a frozen model, and what it may speak about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from teachers.outputs import Inputs, Outputs


class TeacherModel(Protocol):
    """Anything that turns raw inputs into outputs, with its own preprocessing inside and no gradient."""

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch.

        Args:
            inputs: Raw, as in ``Batch``.
            features: Names of the features that are wanted beside the logits.

        Returns:
            ``logits`` (B, C_k) over the classes that the teacher knows, in the order of its ``Coverage.labels``, or
            over all classes (B, C); and at least the features that were asked for.

        Raises:
            ValueError: It has no feature of a name; the message lists those that it has.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What a teacher may vote on: never on a row outside, never on a known label outside.

    A row whose label students do not see cannot be outside its labels; there it votes, among its own classes only.

    Args:
        labels: Classes that it knows, as indices into the data set's classes; None means all.
        column: Column of the data set that tells which rows it knows; None means all rows.
        values: Values of that column for which it may speak.
    """

    labels: tuple[int, ...] | None = None
    column: str | None = None
    values: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        """Reject a coverage of nothing, and a column without values."""
        if self.labels is not None and (not self.labels or len(set(self.labels)) < len(self.labels)):
            raise ValueError(f"labels that a teacher covers must be at least one and differ, got {self.labels}")
        if (self.column is None) != (not self.values):
            raise ValueError("a coverage by rows needs both a column and the values that are covered")

    def rows(self, num_rows: int, columns: Mapping[str, NDArray[np.generic]]) -> NDArray[np.bool_]:
        """Tell which rows of a data set are covered.

        Args:
            num_rows: Rows of the data set, N.
            columns: Its columns by name, each (N,).

        Returns:
            Mask (N,).

        Raises:
            ValueError: The column is unknown, or no row has any of the values.
        """
        covered = self.rows_of_some(num_rows, columns)
        if self.column is not None and not covered.any():
            found = sorted(set(columns[self.column].astype(str).tolist()))[:20]
            raise ValueError(
                f"no row has {self.column!r} in {', '.join(map(str, self.values))}; the column holds {', '.join(found)}"
            )
        return covered

    def rows_of_some(self, num_rows: int, columns: Mapping[str, NDArray[np.generic]]) -> NDArray[np.bool_]:
        """Do what ``rows`` does for some rows of a data set, of which none need be covered."""
        if self.column is None:
            return np.ones(num_rows, dtype=bool)
        if self.column not in columns:
            raise ValueError(f"the data has no column {self.column!r}; it has {', '.join(sorted(columns)) or 'none'}")
        covered: NDArray[np.bool_] = np.isin(columns[self.column].astype(str), [str(value) for value in self.values])
        return covered


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """A frozen model with its name, what it covers and a digest of its parameters.

    Args:
        name: Unique in an ensemble.
        model: Answers for raw inputs.
        coverage: What it may vote on.
        digest: Names its parameters and preprocessing; another digest, another cache.
    """

    name: str
    model: TeacherModel
    coverage: Coverage
    digest: str

    @property
    def gives_logits(self) -> bool:
        """Whether the model answers at all; one that does not only writes, and nothing of it is kept or heard."""
        return bool(getattr(self.model, "gives_logits", True))

    def feature_id(self, name: str) -> str:
        """Tell what a feature is called where no alias is known, as caches name it."""
        resolve = getattr(self.model, "feature_id", None)
        return name if resolve is None else str(resolve(name))
