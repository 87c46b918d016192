"""Training: one loop, from labels and teachers together; a teacher that is trained first goes through it alone."""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from teachers import Outputs
from trials.distillation_loss import DistillationLoss
from trials.lesson import Lesson
from trials.optimizing import learning_rate, make_optimizer
from trials.placing import choose_device, place_batch, place_outputs, random_state_kept
from trials.records import EpochRecord


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
        student: From raw inputs to logits; left in the state of the last epoch, in evaluation mode.
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
    recipe, device = lesson.recipe, choose_device(lesson.device)
    end = recipe.epochs if until_epoch is None else until_epoch
    assert end <= recipe.epochs, f"the recipe has {recipe.epochs} epochs, asked for epoch {end}"
    rows = lesson.rows()
    num_batches = _num_batches(student, len(rows), recipe.batch_size)
    history: tuple[EpochRecord, ...] = ()
    with random_state_kept(device):
        torch.manual_seed(lesson.seed)  # Of learnt parts of the loss.
        student.to(device).train()
        loss = DistillationLoss(lesson)
        optimizer = make_optimizer([student, loss], recipe)
        if checkpoint is not None:
            student.load_state_dict(checkpoint.student)
            loss.load_state_dict(checkpoint.loss)
            optimizer.load_state_dict(copy.deepcopy(dict(checkpoint.optimizer)))  # It would go on in the same tensors.
            history = checkpoint.history
        for epoch in range(len(history), end):
            record = _train_epoch(student, loss, optimizer, lesson, rows=rows, num_batches=num_batches, epoch=epoch)
            history += (record,)
    student.cpu().eval()
    state = _on_processor(optimizer.state_dict())
    assert isinstance(state, dict)
    return Checkpoint(
        epoch=len(history),
        student={name: value.clone() for name, value in student.state_dict().items()},
        loss={name: value.cpu() for name, value in loss.state_dict().items()},
        optimizer=state,
        history=history,
    )


def _train_epoch(
    student: nn.Module,
    loss: DistillationLoss,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    *,
    rows: NDArray[np.int64],
    num_batches: int,
    epoch: int,
) -> EpochRecord:
    started = time.perf_counter()
    recipe, device = lesson.recipe, choose_device(lesson.device)
    labels = lesson.dataset.student_labels
    # Seeded by epoch, so that an epoch does not depend on whether training was stopped before it.
    generator = np.random.default_rng([lesson.seed, epoch])
    torch.manual_seed(int(generator.integers(2**62)))
    listened = lesson.teachers if recipe.needs_teachers else None
    seen: dict[str, list[Tensor]] = {}
    # Batches of nearly one size: a last one of few rows would count as much as the others, and batch norm fails on one.
    batches = np.array_split(generator.permutation(rows), num_batches)
    for step, batch_rows in enumerate(batches, start=epoch * num_batches):
        rate = learning_rate(recipe, step=step, num_steps=recipe.epochs * num_batches)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = lesson.dataset.batch(batch_rows, labels)
        # Asked before the batch is moved: a cache is read, and most teachers run, on the processor.
        teachers = None if listened is None else place_outputs(listened(batch), device)
        batch = place_batch(batch, device)
        means = loss(Outputs(logits=student(batch.inputs)), teachers, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.total(means).backward()  # type: ignore[no-untyped-call] # torch has not annotated it
        optimizer.step()
        for name, mean in means.items():
            seen.setdefault(name, []).append(mean.detach())
    losses = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
    if not np.isfinite(list(losses.values())).all():
        raise DivergedError(
            f"training diverged in epoch {epoch + 1}: losses are {losses}; lower learning_rate, or raise warmup"
        )
    return EpochRecord(epoch=epoch + 1, losses=losses, learning_rate=rate, seconds=time.perf_counter() - started)


def _num_batches(student: nn.Module, num_rows: int, batch_size: int) -> int:
    """Cut an epoch into steps, so that none has a single row unless that was asked for.

    Raises:
        ValueError: A step would have a single row, and the student has batch norm.
    """
    most = num_rows if batch_size == 1 else num_rows // 2
    num_batches = max(1, min(round(num_rows / batch_size), most))
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


__all__ = ["Checkpoint", "DistillationLoss", "DivergedError", "Lesson", "distill"]
