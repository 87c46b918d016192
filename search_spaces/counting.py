"""Parameters and MACs of a student whose space has no closed form: build it without memory, and count."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.signature import ModelSignature
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec
from search_spaces.trying import example_inputs

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

    A model that cannot be built or run there, as one that loads weights, is counted on the CPU.

    Parameters that layers share count once. A size that varies in the signature is taken as the spec's ``length``, the
    tokens that a student reads at most, or as 1 where there is no such choice.

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
        try:
            return _count_on("meta", build, spec, signature)
        except Exception:
            # A model that reads its numbers as it is built, or loads weights, needs memory. What is wrong with the
            # model itself is raised again here.
            return _count_on("cpu", build, spec, signature)


def _count_on(
    device: str, build: Callable[[StudentSpec, ModelSignature], nn.Module], spec: StudentSpec, signature: ModelSignature
) -> Cost:
    with torch.device(device):
        model = build(spec, signature).eval()
        inputs = example_inputs(signature, batch=1, varying=int(spec.values.get("length", 1)))
    # Attention has kernels that the counter does not know; written out, it is two products of matrices.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(*inputs)
    params = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return Cost(params=params, macs=counter.get_total_flops() // 2)  # It counts a multiplication and an addition each.
