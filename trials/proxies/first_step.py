"""A student as it meets its first batch."""

import copy

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # the class of all of them, which torch names nowhere else


def at_first_step(body: nn.Module) -> nn.Module:
    """Copy a body as it meets its first batch: batch normalisation by that batch, and no dropout.

    In prediction, batch normalisation does nothing before training, so that a student would be seen as one without it;
    dropout would let chance decide.
    """
    copied = copy.deepcopy(body).eval()
    for module in copied.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return copied
