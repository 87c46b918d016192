"""Logit standardisation: a transform that any loss on logits can be wrapped in.

Shape letters: B = batch, C = classes; further dimensions may stand in front of B.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import torch
from torch import Tensor

from teachers import Outputs

_EPSILON = 1e-7


def standardise(logits: Tensor) -> Tensor:
    """Shift and scale the logits of each sample to mean 0 and standard deviation 1 (Sun et al., 2024, algorithm 1).

    https://arxiv.org/abs/2403.01427

    Values are those of the authors' code. Where all logits of a sample are equal, as those of a small student whose
    units are all off, its gradient is 1e7 and spoils the optimizer's state; here it is 0.

    Args:
        logits: (..., B, C).

    Returns:
        The same shape; zeros where all logits of a sample are equal, so of one class alone.
    """
    if logits.shape[-1] == 1:
        return logits * 0  # The unbiased deviation of one number is not a number.
    mean = logits.mean(dim=-1, keepdim=True)
    deviation = logits.std(dim=-1, keepdim=True)  # Unbiased, as in the authors' code.
    return (logits - mean) / (_EPSILON + deviation.masked_fill(deviation <= _EPSILON, torch.inf))


def standardised(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a loss see standardised logits of student and teacher: the student need not match the teacher's scale.

    With two classes little is left of the logits: their order.

    Args:
        loss: Any loss that reads ``logits``.

    Returns:
        A loss with the same options.
    """

    @wraps(loss)
    def wrapped(student: Outputs, teacher: Outputs, label_B: Tensor, **options: float) -> Tensor:
        student = replace(student, logits=standardise(student.logits))
        teacher = replace(teacher, logits=standardise(teacher.logits.detach()))
        return loss(student, teacher, label_B, **options)

    return wrapped
