"""Synaptic flow."""

import copy
import math

import torch
from torch import nn

from trials.proxies.proxy import ProxyBatch


def synflow(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Add up how much of an all-ones input flows through each parameter (Tanaka et al., 2020, equation 2).

    https://arxiv.org/abs/2006.05467

    The parameters are replaced by their absolute values, and R is the sum of the outputs for an input of ones; a
    parameter's share is its value times dR/d(parameter). Given is the logarithm of the sum over all, since the flow grows
    with the power of the depth; the order is the same. Batch normalisation is run as in prediction: before training it
    then changes nothing, where statistics of a batch of one would stop the flow (Abdelfattah et al., 2021, leave it out,
    https://arxiv.org/abs/2101.08134).
    """
    if not batch.inputs.is_floating_point():
        raise ValueError("synflow sends ones through a student, and this one takes tokens")
    body = copy.deepcopy(body).double().eval()
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.abs_()
    ones = torch.ones(1, *batch.inputs.shape[1:], dtype=torch.float64)
    parameters = [parameter for parameter in body.parameters() if parameter.requires_grad]
    with torch.enable_grad():
        slopes = torch.autograd.grad(body(ones).sum(), parameters, allow_unused=True)
    flow = sum(
        float((parameter * slope).sum()) for parameter, slope in zip(parameters, slopes, strict=True) if slope is not None
    )
    if not 0 < flow < math.inf:
        raise ValueError(f"nothing that can be compared flows through this student: {flow}")
    return math.log(flow)
