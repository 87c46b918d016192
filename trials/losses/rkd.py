"""Relational distillation: distances and angles between samples, whatever the space that they lie in.

Shape letters: K = teachers, L = teachers or 1, B = batch, D = numbers of a sample; further dimensions, such as K, may
stand in front of B.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from teachers import Outputs
from trials.losses.loss import Needs, Pairing, batch_statistic
from trials.losses.options import Bounds, bounded
from trials.losses.relations import directions, layer_needs, student_rows, teacher_rows

_SAME_POINT = 1e-6
_CHUNK = 2**17
"""Cosines that are made at once: few enough to stay in a processor's cache."""
_KEPT = 2**23
"""Fewer derivatives than these, 32 MB, are kept until the gradient is known: more would take fresh memory each time,
which costs as much as they save."""


@batch_statistic
@bounded(distance=Bounds(), angle=Bounds())
class RKD(nn.Module):
    """Distances of all pairs and angles of all triplets of a batch (Park et al., 2019, sections 3.2.1 and 3.2.2).

    https://arxiv.org/abs/1904.05068

    Student and teacher may be of different widths. Weights are those that the authors use beside distillation of
    logits; alone, they use 1 and 2. Time grows with K B³, since that many angles are compared; memory does not.
    """

    def __init__(self, pairing: Pairing, *, layer: str = "logits", distance: float = 25.0, angle: float = 50.0) -> None:
        """Remember the options.

        Args:
            pairing: Not used, nothing is learnt.
            layer: Name of a feature that student and teachers have, or ``logits``.
            distance: Weight of distances, at least 0.
            angle: Weight of angles, at least 0; at 0 they are not computed.
        """
        super().__init__()
        del pairing
        self.layer, self.distance, self.angle = layer, distance, angle

    @staticmethod
    def needs(*, layer: str = "logits", distance: float = 25.0, angle: float = 50.0) -> Needs:
        """Say which feature is read."""
        del distance, angle
        return layer_needs(layer)

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Give ``loss`` (...,), a statistic of the batch."""
        del label_B
        student_BD, teacher_BD = student_rows(student, self.layer), teacher_rows(teacher, self.layer)
        loss = self.distance * distance_loss(student_BD, teacher_BD)
        return loss + self.angle * angle_loss(student_BD, teacher_BD) if self.angle else loss


def distance_loss(student_BD: Tensor, teacher_BD: Tensor) -> Tensor:
    """Smooth L1 between the distances of all pairs, each side over its mean distance: (..., B, D) → (...,).

    The mean of the loss is over B² pairs, a sample with itself among them, as in the authors' code.
    """
    student_BB, teacher_BB = (_relative_distances(_narrowed(rows)) for rows in (student_BD, teacher_BD.detach()))
    difference_BB = student_BB - teacher_BB
    clipped_BB = difference_BB.clamp(-1, 1)
    return (clipped_BB * (difference_BB - clipped_BB / 2)).mean(dim=(-2, -1))


def _relative_distances(rows_BD: Tensor) -> Tensor:
    distances_BB = _distances(rows_BD)
    num_pairs = max(1, rows_BD.shape[-2] * (rows_BD.shape[-2] - 1))
    return distances_BB * _inverse(distances_BB.sum(dim=(-2, -1), keepdim=True) / num_pairs)


def _distances(rows_BD: Tensor) -> Tensor:
    # By differences: by a matrix product, distances of samples that lie close together would be lost in rounding.
    return torch.cdist(rows_BD, rows_BD, compute_mode="donot_use_mm_for_euclid_dist")


def _inverse(distances: Tensor) -> Tensor:
    """Give one over each distance; 0, without a gradient, where it is that of samples on one point."""
    return distances.masked_fill(distances <= _SAME_POINT, torch.inf).reciprocal()


def angle_loss(student_BD: Tensor, teacher_BD: Tensor) -> Tensor:
    """Smooth L1 between the cosines of all angles, at each sample between each two: (..., B, D) → (...,).

    The mean is over B³ triplets, with those of fewer than three samples, whose cosines are the same on both sides.
    Directions between samples on one point are 0, and get no gradient.
    """
    lead = max(student_BD.shape[:-2], teacher_BD.shape[:-2], key=len)
    student_LBD, teacher_KBD = _flat(_narrowed(student_BD)), _narrowed(teacher_BD.detach())
    teacher_KBD = _flat(teacher_KBD.expand(*lead, *teacher_KBD.shape[-2:]))
    between_LBBD = directions(student_LBD[:, None] - student_LBD[:, :, None], shortest=_SAME_POINT)
    loss: Tensor = _Angles.apply(between_LBBD, teacher_KBD)  # type: ignore[no-untyped-call] # as PyTorch has it
    return loss.reshape(lead)


def _flat(rows_BD: Tensor) -> Tensor:
    return rows_BD.reshape(-1, *rows_BD.shape[-2:])


def _narrowed(rows_BD: Tensor) -> Tensor:
    """Turn samples of more than B numbers into the at most B dimensions that they span; no distance changes.

    The gradient has no part outside of that span, so that the turn itself needs none.
    """
    if rows_BD.shape[-1] <= rows_BD.shape[-2]:
        return rows_BD
    # Centred, so that nothing but rounding is left of samples that lie on one point.
    centred_BD = rows_BD - rows_BD.detach().mean(dim=-2, keepdim=True)
    axes_DB: Tensor = torch.linalg.qr(centred_BD.detach().mT).Q
    return centred_BD @ axes_DB


class _Angles(torch.autograd.Function):
    """Smooth L1 over cosines in chunks of samples: plain operations would write B³ numbers a dozen times."""

    @staticmethod
    def forward(ctx: Any, between_LBBD: Tensor, teacher_KBD: Tensor) -> Tensor:
        """Give the loss (K,), from the student's directions between samples and the teachers' samples."""
        num_teachers, batch = teacher_KBD.shape[:2]
        loss_K = between_LBBD.new_zeros(num_teachers)
        # The derivative of smooth L1 by teacher, where that is little; else what it makes of weights that are all 1.
        keeps = num_teachers * batch**3 < _KEPT
        kept = between_LBBD.new_empty(num_teachers, batch, batch, batch) if keeps else torch.empty_like(between_LBBD)
        for at, difference in _differences(between_LBBD, teacher_KBD):
            clipped = torch.clamp(difference, -1, 1, out=kept[:, at] if keeps else None)
            # Half the square where it is below 1, and the distance less a half where it is not.
            loss_K += difference.sub_(clipped, alpha=0.5).mul_(clipped).sum(dim=(1, 2, 3))
            if not keeps:
                summed = clipped if len(between_LBBD) == num_teachers else clipped.sum(dim=0, keepdim=True)
                kept[:, at] = summed @ between_LBBD[:, at]
        ctx.keeps = keeps
        ctx.save_for_backward(between_LBBD, teacher_KBD, kept)
        return loss_K / batch**3

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_K: Tensor) -> tuple[Tensor, None]:
        """Weigh the clipped differences, which are the derivative of smooth L1, by teacher."""
        between_LBBD, teacher_KBD, kept = ctx.saved_tensors
        num_teachers, batch = teacher_KBD.shape[:2]
        weights_K = gradient_K / batch**3
        apart = len(between_LBBD) == num_teachers
        if ctx.keeps:
            return 2 * _weighed(kept, weights_K, apart=apart) @ between_LBBD, None
        if apart or bool((weights_K == weights_K[0]).all()):
            return 2 * weights_K[: len(between_LBBD), None, None, None] * kept, None
        gradient_LBBD = torch.empty_like(between_LBBD)
        for at, difference in _differences(between_LBBD, teacher_KBD):
            gradient_LBBD[:, at] = _weighed(difference.clamp_(-1, 1), weights_K, apart=apart) @ between_LBBD[:, at]
        return 2 * gradient_LBBD, None


def _differences(between_LBBD: Tensor, teacher_KBD: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Give the differences of the cosines at some samples at a time (K, samples, B, B), and at which."""
    num_teachers, batch = teacher_KBD.shape[:2]
    closeness_KBB1 = _inverse(_distances(teacher_KBD))[..., None]
    step = max(1, _CHUNK // max(1, num_teachers * batch * batch))
    for start in range(0, batch, step):
        at = slice(start, start + step)
        ours = between_LBBD[:, at]
        theirs = (teacher_KBD[:, None] - teacher_KBD[:, at, None]).mul_(closeness_KBB1[:, at])
        yield at, ours @ ours.mT - theirs @ theirs.mT


def _weighed(clipped: Tensor, weights_K: Tensor, *, apart: bool) -> Tensor:
    """Weigh teachers (K, samples, B, B), and add them up, (1, samples, B, B), unless each has a student of its own."""
    if apart:
        return weights_K[:, None, None, None] * clipped
    return (weights_K @ clipped.flatten(start_dim=1)).reshape(1, *clipped.shape[1:])
