"""What a student loses on the tokens of a batch: each token is a sample, and logits are made chunk by chunk.

Shape letters: K = teachers, B = batch, D = width of the last hidden state, V = vocabulary, M = tokens of a batch, n =
tokens of a chunk.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from teachers import MISSING_LABEL, Batch, Outputs, TeacherOutputs, TokenOutputs
from trials.distillation_loss import DistillationLoss, Sums, means_of
from trials.spoken_tokens import SpokenTokens, Tokens, chunk_tokens


def token_means(
    loss: DistillationLoss,
    student: SpokenTokens,
    teachers: TokenOutputs | None,
    batch: Batch,
    *,
    epoch: int | None = None,
    chunk: int | None = None,
    by_labels: bool = True,
) -> dict[str, Tensor]:
    """Compute each term that has come in: the means that ``DistillationLoss`` would give of all tokens at once.

    The head and all losses on logits run on one chunk of tokens after the other and are run again on the way back, so
    that the logits of one chunk lie in memory at a time. The gradient is the same.

    Args:
        loss: Of the lesson.
        student: Of the batch.
        teachers: Of the batch; None where no term listens to them.
        batch: Its labels and index are read.
        epoch: Counted from 1; None computes all terms.
        chunk: Tokens of a chunk at most; None takes as many as fit, or all where a term compares tokens of a batch
            with each other.
        by_labels: Whether the labels are right, so that the student learns from them.
    """
    tokens = Tokens.of(batch)
    hidden_MD = student.hidden_BTD.flatten(0, 1).index_select(0, tokens.position)
    chunks = tokens.cut(_chunk(loss, teachers, len(tokens)) if chunk is None else chunk)

    def of_chunk(hidden_nD: Tensor, part: Tokens) -> Sums:
        outputs = Outputs(logits=student.head(hidden_nD))
        heard = (
            None if teachers is None else teachers.at(part.position, loss.token_features if teachers.features else ())
        )
        return loss.sums(outputs, heard, part.batch(), epoch=epoch, of_features=False, by_labels=by_labels)

    run: Callable[[Tensor, Tokens], Sums] = of_chunk
    if len(chunks) > 1 and torch.is_grad_enabled():

        def run(hidden_nD: Tensor, part: Tokens) -> Sums:
            sums: Sums = checkpoint(of_chunk, hidden_nD, part, use_reentrant=False, preserve_rng_state=False)
            return sums

    total: Sums = {}
    for hidden_nD, part in zip(torch.split(hidden_MD, [len(each) for each in chunks]), chunks, strict=True):
        for name, (value, count) in run(hidden_nD, part).items():
            before, counted = total.get(name, (0.0, 0))
            total[name] = before + value, counted + count
    if teachers is not None:
        total |= loss.sums(student.of_rows(), teachers.of_rows(), _of_rows(batch), epoch=epoch, of_features=True)
    return means_of(total)


def token_teacher_norms(
    loss: DistillationLoss,
    student: SpokenTokens,
    teachers: TokenOutputs,
    batch: Batch,
    *,
    factors: Mapping[str, float | Tensor],
) -> Tensor:
    """Give the norm of the gradient that each teacher causes (K,), at the student's logits of all tokens.

    Terms on features are left out: they have no part in what is said of a token.
    """
    tokens = Tokens.of(batch)
    hidden_MD = student.hidden_BTD.detach().flatten(0, 1).index_select(0, tokens.position)
    square_K = torch.zeros(len(teachers.logits), device=hidden_MD.device)
    for part in tokens.cut(chunk_tokens(loss.num_classes, 2 * len(teachers.logits))):
        chosen = torch.searchsorted(tokens.position, part.position)
        with torch.no_grad():
            logits_nV = student.head(hidden_MD[chosen])
        heard = _heard(loss, teachers, part)
        weights_Kn = loss.weights(heard, part.batch())[0].detach()
        own = Outputs(logits=logits_nV.expand(len(square_K), -1, -1).clone().requires_grad_())
        total = logits_nV.new_zeros(())
        for name, term in loss.taught():
            if name in factors and not term.reads_features:
                loss_Kn = term.of_each(own, heard, part.labels, weights_Kn)
                if term.weigh_tokens is not None:
                    weight_n = term.weigh_tokens(part.facts)
                    loss_Kn = loss_Kn * weight_n / weight_n.mean().clamp(min=1e-12)
                total = total + float(factors[name]) * loss_Kn.sum()
        if total.requires_grad:
            (gradient_KnV,) = torch.autograd.grad(total, own.logits)
            square_K += gradient_KnV.flatten(1).square().sum(dim=1)
    return square_K.sqrt()


def _heard(loss: DistillationLoss, teachers: TokenOutputs, part: Tokens) -> TeacherOutputs:
    return teachers.at(part.position, loss.token_features if teachers.features else ())


def _chunk(loss: DistillationLoss, teachers: TokenOutputs | None, num_tokens: int) -> int:
    if loss.compares_samples:
        return max(1, num_tokens)
    return chunk_tokens(loss.num_classes, 1 if teachers is None else len(teachers.logits))


def _of_rows(batch: Batch) -> Batch:
    """Give rows as samples, whose labels nobody knows: those of their tokens are no classes of rows."""
    return replace(batch, labels=torch.full_like(batch.index, MISSING_LABEL))
