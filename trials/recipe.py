"""How a student is distilled, as plain data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from search_spaces import Value, plain_digest


@dataclass(frozen=True, kw_only=True)
class LossTerm:
    """One term of the loss.

    Args:
        name: ``hard_label``, or a name in the catalog of losses, or ``package.module:name``.
        weight: At least 0; a term of weight 0 is not computed.
        options: Keyword arguments of the loss, such as ``temperature``.
        warmup_epochs: Epochs over which the weight rises to its value, in equal steps; 0 for none.
        first_epoch: Epoch, counted from 1, before which the term is neither computed nor counted.
    """

    name: str
    weight: float
    options: Mapping[str, Value] = field(default_factory=dict)
    warmup_epochs: int = 0
    first_epoch: int = 1

    def __post_init__(self) -> None:
        """Reject a weight that is negative, infinite or not a number, and epochs that there are not."""
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"weight of {self.name!r} must be finite and at least 0, got {self.weight}")
        if self.warmup_epochs < 0 or self.first_epoch < 1:
            raise ValueError(
                f"{self.name!r} needs warmup_epochs of at least 0 and first_epoch of at least 1, "
                f"got {self.warmup_epochs} and {self.first_epoch}"
            )

    def weight_in(self, epoch: int) -> float:
        """Give the weight in an epoch, counted from 1."""
        if epoch < self.first_epoch:
            return 0.0
        return self.weight * min(1.0, epoch / self.warmup_epochs) if self.warmup_epochs else self.weight


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything about a trial that is not its architecture.

    Args:
        losses: Terms that are added up; at least one has a weight above 0.
        aggregation: How teachers become one loss, a name in ``trials.aggregation``.
        weighting: How much each teacher counts on each sample, a name in ``trials.weighting``.
        teacher_weights: Fixed weights by name of the teacher, for the weighting ``fixed``, which does not listen to one
            of weight 0; teachers without a weight get 1.
        taking_part: Whether a teacher is listened to, by its name; those without an entry are.
        balance: How terms are weighed against each other: ``none`` adds them up with their weights as they are,
            ``magnitude`` divides each by its running magnitude before, so that weights are shares of the value of the
            loss; of the gradient they are not.
        epochs: Passes over the training split.
        batch_size: Rows of a step.
        optimizer: A name in ``trials.optimizing``: ``adamw`` or ``sgd``.
        learning_rate: Its highest value.
        weight_decay: Of the optimizer.
        schedule: A name in ``trials.optimizing``: ``cosine``, ``linear`` or ``constant``.
        warmup: Share of the steps in which the learning rate rises to its highest value.
        on_policy: Share of the steps in which a language model is taught on what it writes itself.
    """

    losses: tuple[LossTerm, ...]
    aggregation: str = "mean_of_losses"
    weighting: str = "fixed"
    teacher_weights: Mapping[str, float] = field(default_factory=dict)
    taking_part: Mapping[str, bool] = field(default_factory=dict)
    balance: str = "none"
    epochs: int
    batch_size: int
    optimizer: str = "adamw"
    learning_rate: float
    weight_decay: float = 0.01
    schedule: str = "cosine"
    warmup: float = 0.05
    on_policy: float = 0.0

    def __post_init__(self) -> None:
        """Reject what cannot be trained."""
        names = [term.name for term in self.losses]
        if len(set(names)) < len(names):
            raise ValueError(f"each loss may stand once, got {', '.join(names)}")
        if not any(term.weight > 0 for term in self.losses):
            raise ValueError("at least one loss needs a weight above 0")
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, got {self.epochs} and {self.batch_size}")
        if not 0 < self.learning_rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                "learning_rate must be above 0 and weight_decay at least 0, both finite, got "
                f"{self.learning_rate} and {self.weight_decay}"
            )
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the steps, at least 0 and below 1, got {self.warmup}")
        if not 0 <= self.on_policy <= 1:
            raise ValueError(f"on_policy is a share of the steps, from 0 to 1, got {self.on_policy}")
        if self.balance not in BALANCES:
            raise ValueError(f"unknown balance {self.balance!r}; known are {', '.join(sorted(BALANCES))}")
        for name, weight in self.teacher_weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"weight of teacher {name!r} must be finite and at least 0, got {weight}")

    @property
    def silent(self) -> frozenset[str]:
        """Names of the teachers that are not listened to: they take no part, or their fixed weight is 0."""
        left_out = {name for name, takes_part in self.taking_part.items() if not takes_part}
        weights = self.teacher_weights if self.weighting == FIXED else {}
        return frozenset(left_out | {name for name, weight in weights.items() if weight == 0})

    @property
    def taught(self) -> tuple[LossTerm, ...]:
        """Terms that listen to teachers."""
        return tuple(term for term in self.losses if term.weight > 0 and term.name != HARD_LABEL)

    def taught_in(self, epoch: int) -> tuple[LossTerm, ...]:
        """Terms that listen to teachers in an epoch, counted from 1: those that have come in by then."""
        return tuple(term for term in self.taught if term.weight_in(epoch) > 0)

    @property
    def needs_teachers(self) -> bool:
        """Whether any term listens to teachers."""
        return bool(self.taught)

    def plain(self) -> dict[str, object]:
        """Give the recipe as JSON can write it; a weight of 1 is written as 1.0, so that equal recipes are so too."""
        record: dict[str, object] = dict(vars(self))
        record |= {name: float(vars(self)[name]) for name in ("learning_rate", "weight_decay", "warmup")}
        if self.on_policy:
            record["on_policy"] = float(self.on_policy)
        else:
            del record["on_policy"]  # Recipes from before there was a choice keep their names.
        record["losses"] = {term.name: _plain_term(term) for term in self.losses}
        record["taking_part"] = dict(self.taking_part)
        record["teacher_weights"] = {name: float(weight) for name, weight in self.teacher_weights.items()}
        return record

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name the recipe."""
        return plain_digest(self.plain())


def _plain_term(term: LossTerm) -> dict[str, object]:
    record: dict[str, object] = {**term.options, "weight": float(term.weight)}
    if term.warmup_epochs:
        record["warmup_epochs"] = term.warmup_epochs
    if term.first_epoch > 1:
        record["first_epoch"] = term.first_epoch
    return record


BALANCES = ("magnitude", "none")
"""Ways to weigh the terms of a loss against each other."""

FIXED = "fixed"
"""Name of the weighting that reads ``teacher_weights``."""

HARD_LABEL = "hard_label"
"""Name of the term that the task owns: the loss against the true label."""
