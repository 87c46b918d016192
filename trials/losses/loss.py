"""What a distillation loss is, and what it may ask for.

Shape letters: B = batch, C = classes; any dimensions may stand in front of B, such as K for stacked teachers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard, TypeVar, runtime_checkable

from torch import Tensor, nn

from teachers import Outputs, Preprocessing

Compare = TypeVar("Compare", bound=Callable[..., object])


class Loss(Protocol):
    """How far a student is from a teacher; options such as ``temperature`` are bound by keyword before.

    A function reads logits alone. A loss that reads features, or has learnt parts, is a subclass of ``nn.Module``: it
    is made with a ``Pairing`` and its options, and has a static method ``needs``, which takes the same options and
    gives ``Needs``.
    """

    def __call__(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare a student with a teacher, or with several that are stacked in front.

        Args:
            student: ``logits`` (B, C), or (..., B, C) where it says something else to each teacher, and features that
                the loss needs, each (B, ...); gradients flow into them.
            teacher: ``logits`` (..., B, C), over the same classes, and features, each (..., B, ...); no gradient flows
                into them.
            label_B: True classes (B,), int64, ``MISSING_LABEL`` where unknown.

        Returns:
            Loss of each sample (..., B), or (...,) of a ``batch_statistic``; 0 where both agree, unless it says
            otherwise.
        """
        ...


def batch_statistic(loss: Compare) -> Compare:
    """Mark a loss, function or class, that compares the samples of a batch with each other: it has no value a sample.

    It is given the rows on which a teacher votes alone, and returns one value a teacher.
    """
    loss.over_batch = True  # type: ignore[attr-defined] # functions and classes take attributes
    return loss


def is_batch_statistic(loss: object) -> bool:
    """Tell whether a loss, bound or not, is marked as a statistic of the batch."""
    return bool(getattr(getattr(loss, "func", loss), "over_batch", False))


class ComparingLoss(Protocol):
    """A loss that weighs the teachers of one call against each other, so that it must know who votes."""

    def __call__(self, student: Outputs, teacher: Outputs, label_B: Tensor, *, votes_KB: Tensor) -> Tensor:
        """Compare as ``Loss`` does; ``votes_KB`` is true where a teacher votes, and others have no say."""
        ...


def compares_teachers(loss: Compare) -> Compare:
    """Mark a loss, function or class, that is a ``ComparingLoss``."""
    loss.reads_votes = True  # type: ignore[attr-defined] # functions and classes take attributes
    return loss


def reads_votes(loss: object) -> TypeGuard[ComparingLoss]:
    """Tell whether a loss, bound or not, is marked as one that must know who votes."""
    return bool(getattr(getattr(loss, "func", loss), "reads_votes", False))


@dataclass(frozen=True, kw_only=True)
class TokenWeights:
    """How much each token counts in the mean of a loss over the tokens of a batch, Σ w L / Σ w.

    Args:
        weigh: From facts by name, each (B,), and options to ``weight_B``, at least 0.
        facts: Names of the facts.
        options: Names of the loss's options that it takes.
    """

    weigh: Callable[..., Tensor]
    facts: tuple[str, ...]
    options: tuple[str, ...]


def with_token_weights(
    loss: Compare, weigh: Callable[..., Tensor], *, facts: tuple[str, ...], options: tuple[str, ...]
) -> Compare:
    """Mark a loss whose tokens are weighed in the mean over a batch; arguments are those of ``TokenWeights``."""
    loss.token_weights = TokenWeights(weigh=weigh, facts=facts, options=options)  # type: ignore[attr-defined] # as above
    return loss


def token_weights_of(loss: object) -> TokenWeights | None:
    """Read the mark of a loss, bound or not; None where all tokens count alike."""
    weights = getattr(getattr(loss, "func", loss), "token_weights", None)
    assert weights is None or isinstance(weights, TokenWeights)
    return weights


def fact_of(student: Outputs, name: str) -> Tensor:
    """Give a fact that a loss needs, of each token of each row (B, T): it stands beside the student's features."""
    return student.features[fact_key(name)]


def fact_key(name: str) -> str:
    """Say under what name a fact stands beside features; no feature's name has a colon."""
    return f"fact:{name}"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a loss reads beside logits.

    Args:
        student: Names of features of the student, as ``teachers.Taps`` knows them.
        teacher: Names of features of the teachers.
        models: Whether it runs the models of student and teachers themselves, so that no cache can stand for them.
        facts: Names of facts of tokens, which the data set must have.
    """

    student: tuple[str, ...] = ()
    teacher: tuple[str, ...] = ()
    models: bool = False
    facts: tuple[str, ...] = ()


@runtime_checkable
class RunnableTeacher(Protocol):
    """A teacher's model whose module a loss can run itself, or read."""

    @property
    def module(self) -> nn.Module | None:
        """From preprocessed inputs to logits; None if the teacher is no module."""
        ...

    @property
    def preprocessing(self) -> Preprocessing | None:
        """Goes before the module; None where it takes raw inputs."""
        ...

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairing:
    """A student and those of its teachers that can be stacked, for which a loss with learnt parts is made.

    Args:
        student: What it says of a few rows, in evaluation mode; a loss reads the shapes, and whether any value is
            negative.
        teacher: What the teachers say of the same rows, stacked (K, B, ...).
        student_model: The student, from raw inputs to logits.
        teacher_models: The teachers; empty unless the loss needs models, as are the paths.
        student_paths: For each feature that the loss needs of the student, the path of the module that gives it.
        teacher_paths: The same for each teacher.
        num_epochs: Of the whole training.
        knows_all: Whether the teachers know all classes that the student does.
    """

    student: Outputs
    teacher: Outputs
    student_model: nn.Module
    teacher_models: tuple[RunnableTeacher, ...] = ()
    student_paths: Mapping[str, str] = field(default_factory=dict)
    teacher_paths: tuple[Mapping[str, str], ...] = ()
    num_epochs: int = 1
    knows_all: bool = True
