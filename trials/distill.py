"""Training: one loop, from labels and teachers together; a teacher that is trained first goes through it without any.

Shape letters: K = teachers, B = batch, C = classes.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from teachers import MISSING_LABEL, Batch, EnsembleOutputs, Outputs, TeacherEnsemble
from trials.aggregation import AGGREGATIONS
from trials.data import Dataset
from trials.losses import bind
from trials.optimizing import learning_rate, make_optimizer
from trials.recipe import HARD_LABEL, Recipe
from trials.records import EpochRecord
from trials.tasks import Task
from trials.weighting import WEIGHTINGS


class DivergedError(ArithmeticError):
    """A loss is no longer a number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What a student is taught, and by whom.

    Args:
        dataset: Its training split is used, with labels as a student may see them.
        task: Owns the loss against true labels.
        recipe: How to teach.
        seed: Of the order of rows and of dropout.
        ensemble: Who the teachers are; None without teachers.
        teachers: Where they are heard; None without teachers.
    """

    dataset: Dataset
    task: Task
    recipe: Recipe
    seed: int
    ensemble: TeacherEnsemble | None = None
    teachers: EnsembleOutputs | None = None

    def __post_init__(self) -> None:
        """Reject a recipe that listens to teachers where there are none."""
        if self.recipe.needs_teachers and (self.ensemble is None or self.teachers is None):
            raise ValueError("the recipe has losses that listen to teachers, but there are no teachers")

    def rows(self) -> NDArray[np.int64]:
        """Training rows that teach anything: those with a label, and those that a teacher marks if any is heard."""
        train = self.dataset.splits["train"]
        useful = self.dataset.student_labels[train] != MISSING_LABEL
        if self.recipe.needs_teachers and self.ensemble is not None:
            useful |= self.ensemble.rows_KN.any(dim=0).numpy()[train]
        if not useful.any():
            raise ValueError("no training row has a label or a teacher")
        return train[useful]


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A student in training, between two epochs; training goes on from it to the same bit.

    Args:
        epoch: Epochs that are done.
        student: Its state dict.
        loss: State dict of learnt parts of the loss.
        optimizer: State dict of the optimizer.
        history: One record an epoch.
    """

    epoch: int
    student: Mapping[str, Tensor]
    loss: Mapping[str, Tensor]
    optimizer: Mapping[str, object]
    history: tuple[EpochRecord, ...]


class DistillationLoss(nn.Module):
    """All terms of a recipe; a module, since terms may have learnt parts."""

    def __init__(self, lesson: Lesson) -> None:
        """Look the methods of the lesson's recipe up.

        Raises:
            ValueError: A loss or one of its options is unknown.
        """
        super().__init__()
        recipe = lesson.recipe
        self.task = lesson.task
        self.ensemble = lesson.ensemble
        self.aggregate = AGGREGATIONS[recipe.aggregation]
        self.weigh = WEIGHTINGS[recipe.weighting]
        self.weights = {term.name: term.weight for term in recipe.losses if term.weight > 0}
        self.terms = {term.name: bind(term) for term in recipe.losses if term.weight > 0 and term.name != HARD_LABEL}
        for name, (loss, _) in self.terms.items():
            if isinstance(loss, nn.Module):
                self.add_module(name, loss)
        names = () if lesson.ensemble is None else lesson.ensemble.names
        self.fixed_K = torch.tensor([recipe.teacher_weights.get(name, 1.0) for name in names])

    def forward(self, student: Outputs, teachers: Outputs | None, batch: Batch) -> dict[str, Tensor]:
        """Compute each term.

        Args:
            student: Of the batch.
            teachers: Of the batch, stacked (K, B, C); None where no term listens to them.
            batch: Labels as the student may see them.

        Returns:
            Mean of each term over the rows that it speaks of, before its weight; a scalar each.
        """
        means: dict[str, Tensor] = {}
        if HARD_LABEL in self.weights:
            labelled_B = batch.labels != MISSING_LABEL
            loss_B = self.task.hard_label_loss(student, batch.labels)
            means[HARD_LABEL] = loss_B.sum() / labelled_B.sum().clamp(min=1)
        if teachers is not None and self.ensemble is not None:
            votes_KB = self.ensemble.votes(batch).to(teachers.logits.device)
            heard = votes_KB.any(dim=0).sum().clamp(min=1)
            weights_KB = self.weigh(
                teachers.logits, batch.labels, votes_KB=votes_KB, fixed_K=self.fixed_K, ensemble=self.ensemble
            )
            for name, (loss, temperature) in self.terms.items():
                loss_B = self.aggregate(
                    loss,
                    student,
                    teachers,
                    batch.labels,
                    weights_KB=weights_KB,
                    temperature=temperature,
                    ensemble=self.ensemble,
                )
                means[name] = loss_B.sum() / heard
        return means


def distill(
    student: nn.Module, lesson: Lesson, *, checkpoint: Checkpoint | None = None, until_epoch: int | None = None
) -> Checkpoint:
    """Train a student in place.

    Args:
        student: From raw inputs to logits; left in the state of the last epoch, in evaluation mode.
        lesson: What to teach.
        checkpoint: Where an earlier call ended; None starts from the student as it is.
        until_epoch: Stop after this epoch, with the learning rate that the whole recipe has there; None goes to the
            end.

    Returns:
        The state after the last epoch, with the history of all epochs.

    Raises:
        DivergedError: A loss became infinite or not a number.
        ValueError: The recipe does not fit: unknown losses or options, no row that teaches.
    """
    recipe = lesson.recipe
    loss = DistillationLoss(lesson)
    optimizer = make_optimizer([student, loss], recipe)
    history: tuple[EpochRecord, ...] = ()
    if checkpoint is not None:
        student.load_state_dict(checkpoint.student)
        loss.load_state_dict(checkpoint.loss)
        optimizer.load_state_dict(dict(checkpoint.optimizer))
        history = checkpoint.history
    rows = lesson.rows()
    student.train()
    for epoch in range(len(history), recipe.epochs if until_epoch is None else until_epoch):
        history += (_train_epoch(student, loss, optimizer, lesson, rows=rows, epoch=epoch),)
    student.eval()
    return Checkpoint(
        epoch=len(history),
        student={name: value.detach().clone() for name, value in student.state_dict().items()},
        loss={name: value.detach().clone() for name, value in loss.state_dict().items()},
        optimizer=optimizer.state_dict(),
        history=history,
    )


def _train_epoch(
    student: nn.Module,
    loss: DistillationLoss,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    *,
    rows: NDArray[np.int64],
    epoch: int,
) -> EpochRecord:
    started = time.perf_counter()
    recipe = lesson.recipe
    labels = lesson.dataset.student_labels
    # Seeded by epoch, so that an epoch does not depend on whether training was stopped before it.
    generator = np.random.default_rng([lesson.seed, epoch])
    torch.manual_seed(int(generator.integers(2**62)))
    batches = list(_batches(rows, recipe.batch_size, generator))
    listens = recipe.needs_teachers and lesson.teachers is not None
    sums: dict[str, Tensor] = {}
    for step, batch_rows in enumerate(batches, start=epoch * len(batches)):
        rate = learning_rate(recipe, step=step, num_steps=recipe.epochs * len(batches))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = lesson.dataset.batch(batch_rows, labels)
        outputs = Outputs(logits=student(batch.inputs))
        teachers = lesson.teachers(batch) if listens and lesson.teachers is not None else None
        means = loss(outputs, teachers, batch)
        total = torch.stack([loss.weights[name] * mean for name, mean in means.items()]).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        for name, mean in means.items():
            sums[name] = sums.get(name, 0.0) + mean.detach()
    losses = {name: float(value) / len(batches) for name, value in sums.items()}
    if not np.isfinite(list(losses.values())).all():
        raise DivergedError(f"training diverged in epoch {epoch + 1}: losses are {losses}")
    return EpochRecord(epoch=epoch + 1, losses=losses, learning_rate=rate, seconds=time.perf_counter() - started)


def _batches(rows: NDArray[np.int64], batch_size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Shuffle the rows and cut them into batches of nearly one size: none is so small that batch norm fails on it."""
    num_batches = max(1, round(len(rows) / batch_size))
    yield from np.array_split(generator.permutation(rows), num_batches)
