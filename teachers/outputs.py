"""What goes into a teacher and what comes out: the records that teachers, students and losses share.

Shape letters: K = teachers, B = batch, C = classes or vocabulary, T = positions of a sequence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

MISSING_LABEL = -100
"""Label of a row, or of a token, that has none; PyTorch's own ``ignore_index``."""

Inputs = Tensor | list[str]
"""Raw inputs of a batch: images or vectors as they were read (B, ...), or texts; each model preprocesses them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some samples of a data set.

    Args:
        index: Row numbers in the data set (B,), int64; what caches are keyed by.
        inputs: Raw, as the data set holds them, or an augmented view of that.
        labels: Class (B,) or next token (B, T), int64; ``MISSING_LABEL`` where there is none.
        view: Number of the augmented view that the inputs are; 0 means the rows as they are.
        facts: What is known of each token, by name, integers (B, T); see ``Dataset.facts``.
    """

    index: Tensor
    inputs: Inputs
    labels: Tensor
    view: int = 0
    facts: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """What a model said about a batch.

    Args:
        logits: (..., B, C) of a classifier, (..., B, T, C) of a language model, the predicted tensor of a generator.
            Teachers that are stacked put their dimension in front.
        features: What went on inside, by the name of its tap (see ``Taps``): activations (..., B, ...), attention maps
            (..., B, heads, T, T).
    """

    logits: Tensor
    features: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class TeacherOutputs:
    """What all teachers of an ensemble said about a batch.

    Args:
        logits: (K, B, C), float32; columns of classes that a teacher does not know hold zeros, never read.
        features: Of each teacher, by name, each (B, ...): one teacher's may have other shapes than another's.
    """

    logits: Tensor
    features: tuple[Mapping[str, Tensor], ...] = ()

    def stacked(self, teachers: Sequence[int], names: Collection[str]) -> Mapping[str, Tensor]:
        """Stack features of some teachers, by name, each (teachers, B, ...).

        Args:
            teachers: Their positions; their features have one shape.
            names: Of the features.
        """
        return {name: torch.stack([self.features[k][name] for k in teachers]) for name in names}

    def only(self, teachers: Sequence[int]) -> "TeacherOutputs":
        """Keep some teachers, by their positions."""
        features = tuple(self.features[k] for k in teachers) if self.features else ()
        return TeacherOutputs(logits=self.logits[list(teachers)], features=features)
