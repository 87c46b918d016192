"""What an aggregation of teachers is, and what must be known of one before it is used.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from teachers import Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation.comparison import Comparison, weighted_losses

Combine = TypeVar("Combine", bound=Callable[..., Tensor])
Requirement = Callable[[TeacherEnsemble], str]
"""Says why an ensemble does not fit, and what to use instead; nothing where it fits."""
OfEach = Callable[[Sequence[Comparison], Outputs, TeacherOutputs, Tensor, Tensor], Tensor]
"""From comparisons, student, teachers, ``label_B`` and ``weights_KB`` to the weighted ``loss_KB`` of each teacher."""


class Aggregation(Protocol):
    """How several teachers become one loss a sample."""

    def __call__(
        self,
        comparisons: Sequence[Comparison],
        student: Outputs,
        teachers: TeacherOutputs,
        label_B: Tensor,
        *,
        weights_KB: Tensor,
        temperature: float,
    ) -> Tensor:
        """Compare the student with all teachers that vote.

        Args:
            comparisons: The loss, for each group of teachers that know the same classes; one for those that an
                average is taken of.
            student: ``logits`` (B, C).
            teachers: ``logits`` (K, B, C).
            label_B: True classes, ``MISSING_LABEL`` where unknown.
            weights_KB: From a weighting; 0 where a teacher does not vote.
            temperature: Of the loss; probabilities are averaged at this temperature.

        Returns:
            ``loss_B``; 0 where no teacher votes.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What must be known of an aggregation before it is used.

    Args:
        requires: What it asks of the ensemble; an ensemble that fits leaves every one of them silent.
        of_each: The part of each teacher, by which it is told who moved the student; the losses against each teacher
            alone where it cannot be told apart.
        takes_functions_only: Whether the loss must be a function of logits.
        has_heads: Whether the student has a head for each teacher while it is trained, which it gives as the feature
            ``HEADS``.
    """

    requires: tuple[Requirement, ...] = ()
    of_each: OfEach = weighted_losses
    takes_functions_only: bool = False
    has_heads: bool = False


def with_traits(traits: Traits) -> Callable[[Combine], Combine]:
    """Mark an aggregation; one without a mark has no requirement, and no heads."""

    def mark(aggregate: Combine) -> Combine:
        aggregate.traits = traits  # type: ignore[attr-defined] # functions take attributes
        return aggregate

    return mark


def traits_of(aggregate: Aggregation) -> Traits:
    """Read the mark of an aggregation."""
    traits = getattr(aggregate, "traits", Traits())
    assert isinstance(traits, Traits)
    return traits
