"""Who moves the student: each term's share of the gradient, and each teacher's.

Shape letters: K = teachers, B = batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from teachers import Batch, Outputs, TeacherOutputs, TokenOutputs
from trials.aggregation import HEADS
from trials.distillation_loss import GATE, DistillationLoss
from trials.recipe import Recipe
from trials.records import EpochRecord
from trials.spoken_tokens import SpokenTokens
from trials.term import Term
from trials.token_losses import token_teacher_norms

STEPS_BETWEEN = 50
"""Steps from one measurement to the next, at least: it costs as much as one, which epochs of few steps would feel."""


@dataclass(frozen=True, kw_only=True)
class GradientShares:
    """Shares of the norm of the gradient; each kind adds up to 1.

    Args:
        terms: Of each term, by name.
        teachers: Of each teacher, by name, in all that teachers teach: by its part of the loss, or, where the
            aggregation compares with an average, by the losses against it alone, with its weights.
    """

    terms: Mapping[str, float] = field(default_factory=dict)
    teachers: Mapping[str, float] = field(default_factory=dict)


def is_measured(epoch: int, *, recipe: Recipe, num_batches: int) -> bool:
    """Say whether an epoch begins with a measurement.

    The first and the last do, those in which a term comes in or has risen, and between them those that are due.

    Args:
        epoch: Counted from 0.
        recipe: That is taught.
        num_batches: Steps of an epoch.
    """
    since_start = epoch * num_batches
    is_due = since_start // STEPS_BETWEEN > (since_start - num_batches) // STEPS_BETWEEN
    begun = {each for term in recipe.losses for each in (term.first_epoch, max(term.first_epoch, term.warmup_epochs))}
    return is_due or epoch in (0, recipe.epochs - 1) or epoch + 1 in begun


def carried(record: EpochRecord, history: Sequence[EpochRecord]) -> EpochRecord:
    """Give an epoch that was not measured the shares of the one before, marked with the epoch that they are of.

    Args:
        record: Of the epoch.
        history: Of the epochs before.
    """
    if record.shares_epoch is not None or not history:
        return record
    last = history[-1]
    return replace(record, shares=last.shares, teacher_shares=last.teacher_shares, shares_epoch=last.shares_epoch)


def gradient_shares(
    loss: DistillationLoss,
    student: Outputs,
    teachers: TeacherOutputs | None,
    batch: Batch,
    *,
    means: Mapping[str, Tensor],
    factors: Mapping[str, float | Tensor],
    model: nn.Module,
) -> GradientShares:
    """Measure the shares on one batch, before its step.

    Where all terms read logits alone, the gradient is taken with respect to these, or to those of all heads of a
    student that has them, so that nothing goes back through the student; else with respect to its parameters, a
    backward pass for each term and teacher.

    Args:
        loss: Of the lesson.
        student: Of the batch.
        teachers: Of the batch; None without teachers.
        batch: The batch.
        means: Each term before its weight, a scalar each.
        factors: What each is multiplied by.
        model: The student.
    """
    spoken = student.features.get(HEADS, student.logits)
    of_features = student.features.keys() - {HEADS}
    targets = [target for target in (model.parameters() if of_features else [spoken]) if target.requires_grad]
    terms = {name: float(factors[name]) * _norm(mean, targets) for name, mean in means.items() if name != GATE}
    if teachers is None or loss.ensemble is None:
        return GradientShares(terms=_shares(terms))
    weights_KB, heard = loss.weights(teachers, batch)
    weights_KB = weights_KB.detach()
    norm_K = torch.zeros(len(loss.ensemble))
    for name, term in loss.taught():
        if name not in means:
            continue  # It comes in later.
        if term.keeps_teachers_apart and not student.features:
            own_K = _norms_at_logits(term, student, teachers, batch.labels, weights_KB)
        else:
            loss_K = term.of_each(student, teachers, batch.labels, weights_KB).sum(dim=1)
            own_K = torch.tensor([_norm(value, targets) for value in loss_K])
        norm_K += float(factors[name]) * own_K / max(1.0, float(heard))
    by_name = dict(zip(loss.ensemble.names, norm_K.tolist(), strict=True))
    return GradientShares(terms=_shares(terms), teachers=_shares(by_name))


def token_gradient_shares(
    loss: DistillationLoss,
    student: SpokenTokens,
    teachers: TokenOutputs | None,
    batch: Batch,
    *,
    means: Mapping[str, Tensor],
    factors: Mapping[str, float | Tensor],
    model: nn.Module,
) -> GradientShares:
    """Measure the shares on one batch of rows of tokens, before its step.

    Those of terms are taken with respect to the last hidden states, or to the student's parameters where a term reads
    features; those of teachers with respect to the logits, by the terms that read these. Arguments are those of
    ``gradient_shares``.
    """
    spoken = [student.hidden_BTD] if not student.features else list(model.parameters())
    targets = [target for target in spoken if target.requires_grad]
    terms = {name: float(factors[name]) * _norm(mean, targets) for name, mean in means.items() if name != GATE}
    if teachers is None or loss.ensemble is None:
        return GradientShares(terms=_shares(terms))
    norm_K = token_teacher_norms(loss, student, teachers, batch, factors=factors)
    return GradientShares(
        terms=_shares(terms), teachers=_shares(dict(zip(loss.ensemble.names, norm_K.tolist(), strict=True)))
    )


def _norms_at_logits(
    term: Term, student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor
) -> Tensor:
    """Give the norm of each teacher's gradient (K,) at once: each has logits of its own to pull at."""
    logits_KBC = student.logits.detach().expand(len(weights_KB), -1, -1).clone().requires_grad_()
    loss_KB = term.of_each(Outputs(logits=logits_KBC), teachers, label_B, weights_KB)
    (gradient_KBC,) = torch.autograd.grad(loss_KB.sum(), logits_KBC)
    norm_K: Tensor = gradient_KBC.flatten(1).norm(dim=1).cpu()
    return norm_K


def _norm(value: Tensor, targets: Iterable[Tensor]) -> float:
    if not value.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(value, tuple(targets), retain_graph=True, allow_unused=True)
    squares = [gradient.square().sum() for gradient in gradients if gradient is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


def _shares(norms: Mapping[str, float]) -> dict[str, float]:
    total = sum(norms.values())
    return {name: norm / total for name, norm in norms.items()} if total > 0 else {}
