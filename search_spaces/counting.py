"""Parameters and MACs of a student whose space has no closed form: build it without memory, and count."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.signature import ModelSignature, TensorSpec
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec

REMEMBERED = 16_384
"""Costs that are kept, the oldest unused going first: a few MB, and more than the pool of any proposal."""


def cost_of(space: SearchSpace, spec: StudentSpec, signature: ModelSignature) -> Cost:
    """Give the cost of a student: in closed form where its space has one, else counted.

    Args:
        space: The one that made ``spec``.
        spec: The student.
        signature: What it takes in and gives out.
    """
    return count(space, spec, signature) if space.cost is None else space.cost(spec, signature)


def count(space: SearchSpace, spec: StudentSpec, signature: ModelSignature) -> Cost:
    """Build a student on the meta device, run it once there, and count; the second time it is remembered.

    Parameters that layers share count once. A size that varies in the signature is taken as 1, so that a language
    model's MACs are those of one token.

    Args:
        space: The one that made ``spec``.
        spec: The student.
        signature: What it takes in and gives out.
    """
    return _count(space.build, spec, signature)


@lru_cache(maxsize=REMEMBERED)
def _count(
    build: Callable[[StudentSpec, ModelSignature], nn.Module], spec: StudentSpec, signature: ModelSignature
) -> Cost:
    # Counting must not move the caller's random numbers, and some initialisers draw on the meta device too.
    with torch.random.fork_rng(devices=[]):
        with torch.device("meta"):
            model = build(spec, signature).eval()
            inputs = [_input(tensor, signature) for tensor in signature.inputs]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(*inputs)
    params = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return Cost(params=params, macs=counter.get_total_flops() // 2)  # It counts a multiplication and an addition each.


def _input(tensor: TensorSpec, signature: ModelSignature) -> torch.Tensor:
    shape = (1, *(1 if size is None else size for size in tensor.shape))
    # Token ids stay whole numbers; all else has been preprocessed to float when it reaches a student.
    tokens = signature.vocabulary_size is not None and np.issubdtype(np.dtype(tensor.dtype), np.integer)
    return torch.zeros(shape, dtype=torch.int64 if tokens else torch.float32)
