"""What a score of an untrained student is made of.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What teachers say of a batch.

    Args:
        logits_KBC: Of all teachers.
        votes_KB: 1 where a teacher may speak of a row, else 0.
        known_KC: Whether a teacher knows a class.
        weight_K: How much each teacher counts, at least 0.
        features: Of each teacher, by name, each (B, ...), where they are at hand; empty where they are not.
    """

    logits_KBC: Tensor
    votes_KB: Tensor
    known_KC: Tensor
    weight_K: Tensor
    features: tuple[Mapping[str, Tensor], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class ProxyBatch:
    """One batch, the same for all students that are compared.

    Args:
        inputs: As the body of a student takes them, preprocessed (B, ...).
        answers: Of the teachers; None without teachers.
    """

    inputs: Tensor
    answers: Answers | None = None


class Proxy(Protocol):
    """Scores an untrained student; the higher, the better it is expected to be once it is trained."""

    def __call__(self, body: nn.Module, batch: ProxyBatch, /) -> float:
        """Give the score, a finite number.

        Args:
            body: The student without its preprocessing, as it was initialised; it is left as it is.
            batch: What to score it on.

        Raises:
            ValueError: This student, or this batch, has no such score.
        """
        ...
