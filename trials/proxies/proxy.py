"""What a score of an untrained student is made of.

Shape letters: K = teachers, B = batch, C = classes.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class ProxyBatch:
    """One batch, and what teachers say of it.

    Args:
        inputs: As the body of a student takes them: preprocessed (B, ...).
        logits_KBC: Of the teachers; None without teachers.
        votes_KB: 1 where a teacher may speak of a row, else 0.
        known_KC: Whether a teacher knows a class.
        weight_K: How much each teacher counts, at least 0.
    """

    inputs: Tensor
    logits_KBC: Tensor | None = None
    votes_KB: Tensor | None = None
    known_KC: Tensor | None = None
    weight_K: Tensor | None = None


class Proxy(Protocol):
    """Scores an untrained student; the higher, the better it is expected to be once it is trained."""

    def __call__(self, body: nn.Module, batch: ProxyBatch, /) -> float:
        """Give the score, a finite number.

        Args:
            body: The student without its preprocessing, as it was initialised; it is left as it is.
            batch: The same for all students that are compared.

        Raises:
            ValueError: This student, or this batch, has no such score.
        """
        ...
