"""What losses on relations between samples share: the rows of a layer, and their directions.

Shape letters: B = batch, C = classes, D = numbers of a sample; further dimensions, such as K teachers, may stand in
front of B.
"""

import torch
from torch import Tensor

from teachers import Outputs
from trials.losses.loss import Needs

LOGITS = "logits"
"""The layer that every model has; other layers are features, by name."""


def layer_needs(layer: str) -> Needs:
    """Say what a loss reads that compares one layer of student and teachers.

    Raises:
        ValueError: It is not one name.
    """
    if not isinstance(layer, str) or not layer or any(sign in layer for sign in ", ="):
        raise ValueError(f"layer takes one name, of a feature such as last.pooled, or {LOGITS}; got {layer!r}")
    return Needs() if layer == LOGITS else Needs(student=(layer,), teacher=(layer,))


def student_rows(student: Outputs, layer: str) -> Tensor:
    """Give what a student says of each sample as one vector: (B, D), or logits as they are, (..., B, C)."""
    return student.logits if layer == LOGITS else student.features[layer].flatten(start_dim=1)


def teacher_rows(teacher: Outputs, layer: str) -> Tensor:
    """Give what teachers say of each sample as one vector (..., B, D), without a gradient."""
    if layer == LOGITS:
        return teacher.logits.detach()
    # Student and teachers may have layers of different ranks; the logits tell what stands in front of a sample.
    return teacher.features[layer].detach().flatten(start_dim=teacher.logits.dim() - 1)


def directions(vectors: Tensor, *, shortest: float = 1e-12) -> Tensor:
    """Scale vectors (..., D) to length 1; those not longer than ``shortest`` become 0, and get no gradient."""
    squared = vectors.square().sum(dim=-1, keepdim=True)
    return vectors * squared.masked_fill(squared <= shortest**2, torch.inf).rsqrt()
