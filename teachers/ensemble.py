"""Several teachers heard together, each only where it may speak.

Shape letters: K = teachers, N = rows of the data set, B = batch, C = classes, G = classes of one label group.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.outputs import MISSING_LABEL, Batch, TeacherOutputs
from teachers.teacher import Coverage


class EnsembleOutputs(Protocol):
    """Where a trial hears its teachers: from the cache, or on the spot."""

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Answer for a batch, all teachers at once.

        Args:
            batch: Its ``index`` or its ``inputs`` are read.
            features: Names of the features that are wanted beside the logits.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelGroup:
    """Teachers that know the same classes, so that a loss takes them as one tensor.

    Args:
        teachers: Their positions in the ensemble.
        classes: The classes that they know (G,), or None where they know all.
    """

    teachers: tuple[int, ...]
    classes: Tensor | None

    def student_logits(self, logits: Tensor) -> Tensor:
        """Keep the classes of the group: (..., C) → (..., G)."""
        # Not by brackets: the way back of these is several times slower.
        return logits if self.classes is None else logits.index_select(-1, self.classes)

    def teacher_logits(self, logits: Tensor) -> Tensor:
        """Keep the teachers and classes of the group: (K, ..., C) → (teachers, ..., G)."""
        if len(self.teachers) == logits.shape[0] and self.classes is None:
            return logits  # The common case, all teachers know all classes, copies nothing.
        (first, *others) = self.teachers
        return self.student_logits(logits[list(self.teachers)] if others else logits[first : first + 1])

    def labels(self, label_B: Tensor) -> Tensor:
        """Turn classes into positions within the group; ``MISSING_LABEL`` where the group does not know the class."""
        if self.classes is None:
            return label_B
        match_BG = label_B[:, None] == self.classes[None]
        return torch.where(match_BG.any(dim=1), match_BG.int().argmax(dim=1), MISSING_LABEL)


class TeacherEnsemble:
    """Who the teachers are and what each covers; weighting and aggregation belong to the recipe."""

    def __init__(
        self,
        coverages: Mapping[str, Coverage],
        *,
        num_classes: int,
        num_rows: int,
        columns: Mapping[str, NDArray[np.generic]],
    ) -> None:
        """Work out the masks.

        Args:
            coverages: What each teacher covers, by its name, in the order of their outputs.
            num_classes: Classes of the data set, C.
            num_rows: Rows of the data set, N.
            columns: Columns of the data set that coverages may name, each (N,).

        Raises:
            ValueError: A coverage names a class, a column or values that the data set does not have.
        """
        self.names = tuple(coverages)
        known_KC = np.zeros((len(coverages), num_classes), dtype=bool)
        rows_KN = np.zeros((len(coverages), num_rows), dtype=bool)
        for k, (name, coverage) in enumerate(coverages.items()):
            labels = range(num_classes) if coverage.labels is None else coverage.labels
            if not all(0 <= label < num_classes for label in labels):
                raise ValueError(
                    f"teacher {name!r} covers labels {', '.join(map(str, labels))}, but the data has "
                    f"{num_classes} classes"
                )
            known_KC[k, list(labels)] = True
            try:
                rows_KN[k] = coverage.rows(num_rows, columns)
            except ValueError as error:
                raise ValueError(f"teacher {name!r}: {error}") from error
        self.known_KC = torch.from_numpy(known_KC)
        self.rows_KN = torch.from_numpy(rows_KN)
        self.groups = _label_groups(known_KC)

    def only(self, teachers: Sequence[int]) -> "TeacherEnsemble":
        """Keep some teachers, by their positions."""
        kept = copy.copy(self)
        kept.names = tuple(self.names[k] for k in teachers)
        kept.known_KC, kept.rows_KN = self.known_KC[list(teachers)], self.rows_KN[list(teachers)]
        kept.groups = _label_groups(kept.known_KC.numpy())
        return kept

    def __len__(self) -> int:
        """Count the teachers, K."""
        return len(self.names)

    def votes(self, batch: Batch) -> Tensor:
        """Tell who may vote on which sample.

        A teacher votes on a row that it covers, unless the row's label is known and is none of its classes. Where the
        label is hidden, nobody can say that the row is not its business: it votes, and spreads all its belief over the
        classes that it knows.

        Args:
            batch: Its ``index`` and ``labels`` are read.

        Returns:
            ``votes_KB``, float32, 1 where the teacher votes and 0 elsewhere.
        """
        return self._votes(batch.index, batch.labels)

    def num_unheard(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
        """Count the rows on which no teacher votes.

        Args:
            rows: Row numbers (B,).
            labels: Their labels (B,) as students see them: ``MISSING_LABEL`` where they may not.
        """
        votes_KB = self._votes(torch.from_numpy(rows), torch.from_numpy(labels))
        return int((votes_KB == 0).all(dim=0).sum())

    def _votes(self, index_B: Tensor, label_B: Tensor) -> Tensor:
        votes_KB = self.rows_KN[:, index_B].float()
        if all(group.classes is None for group in self.groups):
            return votes_KB
        labelled_B = label_B != MISSING_LABEL
        knows_KB = self.known_KC[:, label_B.clamp(min=0)] | ~labelled_B
        return votes_KB * knows_KB


def _label_groups(known_KC: NDArray[np.bool_]) -> tuple[LabelGroup, ...]:
    members: dict[tuple[int, ...], list[int]] = {}
    for k, known_C in enumerate(known_KC):
        members.setdefault(tuple(np.flatnonzero(known_C).tolist()), []).append(k)
    num_classes = known_KC.shape[1]
    return tuple(
        LabelGroup(teachers=tuple(ks), classes=None if len(labels) == num_classes else torch.tensor(labels))
        for labels, ks in members.items()
    )
