"""Training: one loop, from labels and teachers together; a teacher that is trained first goes through it alone."""

import copy
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from teachers import Batch
from trials.distillation_loss import DistillationLoss
from trials.example import EXAMPLE_ROWS, see
from trials.lesson import Lesson
from trials.optimizing import learning_rate, make_optimizer
from trials.ordering import batches_of_epoch
from trials.placing import choose_device, place_batch, random_state_kept
from trials.records import EpochRecord
from trials.shares import GradientShares, carried, is_measured
from trials.steps import make_steps


class DivergedError(ArithmeticError):
    """A loss is no longer a number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A student in training, between two epochs; training goes on from it to the same bit.

    Its tensors are its own, on the processor: training on, from it or beside it, leaves it as it is.

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


def distill(
    student: nn.Module, lesson: Lesson, *, checkpoint: Checkpoint | None = None, until_epoch: int | None = None
) -> Checkpoint:
    """Train a student in place.

    Args:
        student: From raw inputs to logits, made by ``trials.heads`` where the recipe asks for heads; left in the state
            of the last epoch, in evaluation mode.
        lesson: What to teach.
        checkpoint: Where an earlier call ended; None starts from the student as it is.
        until_epoch: Stop after this epoch, with the learning rate that the whole recipe has there; None goes to the
            end.

    Returns:
        The state after the last epoch, with the history of all epochs.

    Raises:
        DivergedError: A loss became infinite or not a number.
        ValueError: The recipe does not fit the data or the student; the message says what to change.
    """
    end = lesson.recipe.epochs if until_epoch is None else until_epoch
    assert end <= lesson.recipe.epochs, f"the recipe has {lesson.recipe.epochs} epochs, asked for epoch {end}"
    device = choose_device(lesson.device)
    history: tuple[EpochRecord, ...] = ()
    with random_state_kept(device):
        torch.manual_seed(lesson.seed)  # Of learnt parts of the loss.
        training = _Training(student.to(device), lesson, device)
        if checkpoint is not None:
            training.load(checkpoint)
            history = checkpoint.history
        for epoch in range(len(history), end):
            history += (carried(training.epoch(epoch), history),)
    student.cpu().eval()
    return training.checkpoint(history)


def rehearse(student: nn.Module, lesson: Lesson) -> None:
    """Make the losses of a lesson and their gradient on all of its rows at once, to see whether they fit.

    Args:
        student: As for ``distill``; it is in no state to be used afterwards.
        lesson: With few rows.

    Raises:
        ValueError: The recipe does not fit the data, the student or the teachers.
    """
    device = choose_device(lesson.device)
    with random_state_kept(device):
        torch.manual_seed(lesson.seed)
        training = _Training(student.to(device), lesson, device)
        batch, teachers = training.schooling(0, np.random.default_rng(lesson.seed))(training.rows)
        answer = training.steps.speak(batch.inputs)
        means = training.steps.means(training.loss, answer, teachers, batch, epoch=1)
        torch.autograd.backward([mean for mean in means.values() if mean.requires_grad])


class _Training:
    """A student, what it loses, and the optimizer, in the midst of a lesson."""

    def __init__(self, student: nn.Module, lesson: Lesson, device: torch.device) -> None:
        """Make the loss and the optimizer.

        Raises:
            ValueError: The recipe does not fit the data or the student; the message says what to change.
        """
        self.student, self.lesson, self.device = student, lesson, device
        self.rows = lesson.rows()
        self.num_batches = _num_batches(student, len(self.rows), lesson.recipe.batch_size)
        batch = lesson.dataset.batch(self.rows[:EXAMPLE_ROWS], view=lesson.dataset.training_view(0))
        self.steps = make_steps(student, lesson, place_batch(batch, device))
        self.loss = DistillationLoss(lesson, see(student, self.steps.example, lesson, batch, device))
        student.train()

    @functools.cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Made when it is first needed: PyTorch imports for seconds before its first one."""
        return make_optimizer([self.student, self.loss], self.lesson.recipe)

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint was made."""
        self.student.load_state_dict(checkpoint.student)
        self.loss.load_state_dict(checkpoint.loss)
        self.optimizer.load_state_dict(copy.deepcopy(dict(checkpoint.optimizer)))  # Else it would go on in its tensors.

    def checkpoint(self, history: tuple[EpochRecord, ...]) -> Checkpoint:
        """Keep the state."""
        state = _on_processor(self.optimizer.state_dict())
        assert isinstance(state, dict)
        return Checkpoint(
            epoch=len(history),
            student={name: value.clone() for name, value in self.student.state_dict().items()},
            loss={name: value.cpu() for name, value in self.loss.state_dict().items()},
            optimizer=state,
            history=history,
        )

    def epoch(self, epoch: int) -> EpochRecord:
        """Go through all rows once; ``epoch`` is counted from 0.

        Raises:
            DivergedError: A loss became infinite or not a number.
        """
        started = time.perf_counter()
        recipe = self.lesson.recipe
        # Seeded by epoch, so that an epoch does not depend on whether training was stopped before it.
        generator = np.random.default_rng([self.lesson.seed, epoch])
        torch.manual_seed(int(generator.integers(2**62)))
        schooling = self.schooling(epoch, generator)
        seen: dict[str, list[Tensor]] = {}
        shares, measured = GradientShares(), is_measured(epoch, recipe=recipe, num_batches=self.num_batches)
        dataset = self.lesson.dataset
        lengths = None if dataset.vocabulary_size is None or dataset.of_tokens else dataset.num_tokens
        batches = batches_of_epoch(self.rows, num_batches=self.num_batches, generator=generator, lengths=lengths)
        for step, rows in enumerate(batches):
            rate = self._set_rate(epoch * self.num_batches + step)
            batch, teachers = schooling(rows)
            answer = self.steps.speak(batch.inputs)
            means = self.steps.means(self.loss, answer, teachers, batch, epoch=epoch + 1)
            factors = self.loss.factors(means, epoch + 1)
            if step == 0 and measured:
                shares = self.steps.shares(self.loss, answer, teachers, batch, means=means, factors=factors)
            self._descend([mean * factors[name] for name, mean in means.items()])
            for name, mean in means.items():
                seen.setdefault(name, []).append(mean.detach())
        return EpochRecord(
            epoch=epoch + 1,
            losses=_finite_means(seen, epoch=epoch + 1),
            learning_rate=rate,
            seconds=time.perf_counter() - started,
            shares=shares.terms,
            teacher_shares=shares.teachers,
            shares_epoch=epoch + 1 if measured else None,
        )

    def schooling(self, epoch: int, generator: np.random.Generator) -> Callable[[NDArray[np.int64]], tuple[Batch, Any]]:
        """Give ``read(rows)``: a batch as it is shown in this epoch, and what the teachers say of it if anyone asks."""
        lesson, labels = self.lesson, self.lesson.dataset.student_labels
        features, listens = lesson.features_in(epoch + 1), self.loss.listens_in(epoch + 1)
        view = lesson.dataset.training_view(epoch)

        def read(rows: NDArray[np.int64]) -> tuple[Batch, Any]:
            batch = self.steps.read(lesson.dataset.batch(rows, labels, view=view), generator, listens=listens)
            # Asked before the batch is moved: a cache is read, and most teachers run, on the processor.
            teachers = self.steps.hear(batch, features, self.device) if listens else None
            return place_batch(batch, self.device), teachers

        return read

    def _set_rate(self, step: int) -> float:
        recipe = self.lesson.recipe
        rate = learning_rate(recipe, step=step, num_steps=recipe.epochs * self.num_batches)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _descend(self, weighted: list[Tensor]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if weighted:  # Nothing is learnt before the first term comes in.
            torch.autograd.backward(sum(weighted[1:], start=weighted[0]))
        self.optimizer.step()


def _finite_means(seen: dict[str, list[Tensor]], *, epoch: int) -> dict[str, float]:
    losses = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
    if not np.isfinite(list(losses.values())).all():
        raise DivergedError(
            f"training diverged in epoch {epoch}: losses are {losses}; lower learning_rate, or raise warmup"
        )
    return losses


def steps_per_epoch(num_rows: int, batch_size: int) -> int:
    """Count the steps of an epoch: at least one, and none with a single row unless that was asked for."""
    most = num_rows if batch_size == 1 else num_rows // 2
    return max(1, min(round(num_rows / batch_size), most))


def _num_batches(student: nn.Module, num_rows: int, batch_size: int) -> int:
    """Cut an epoch into steps, so that none has a single row unless that was asked for.

    Raises:
        ValueError: A step would have a single row, and the student has batch norm.
    """
    num_batches = steps_per_epoch(num_rows, batch_size)
    has_batch_norm = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in student.modules())
    if num_rows // num_batches < 2 and has_batch_norm:
        raise ValueError(
            f"batch norm needs at least two rows a step, got batch_size {batch_size} and {num_rows} training rows that "
            "teach anything; raise batch_size, give more rows, or take a student without batch norm"
        )
    return num_batches


def _on_processor(state: object) -> object:
    """Move the tensors of a nested state to the processor, so that a checkpoint can be read anywhere."""
    if isinstance(state, Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: _on_processor(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_on_processor(value) for value in state]
    return state


__all__ = ["Checkpoint", "DistillationLoss", "DivergedError", "Lesson", "distill", "rehearse", "steps_per_epoch"]
