"""Synaptic flow."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # the class of all of them, which torch names nowhere else
from torch.nn.modules.instancenorm import _InstanceNorm  # likewise

from trials.proxies.proxy import ProxyBatch

_NORMALISATIONS = (_BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)


def synflow(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Add up how much of an input of ones flows through each parameter (Tanaka et al., 2020, section 4).

    https://arxiv.org/abs/2006.05467

    All parameters are replaced by their absolute values, and R is the sum of what comes out for an input of ones; the
    share of a parameter θ is |θ · dR/dθ|. As a score of architectures the shares are added up (Abdelfattah et al.,
    2021, section 3.2, https://arxiv.org/abs/2101.08134).

    Given is the logarithm of that sum, worked out in float64: it is of the order of 20 to the power of the depth, and
    the order of students is the same. Normalisation is left out, as Abdelfattah et al. leave out that by batch: it
    would undo what the weights before it let through, and that by layer or group turns equal values into zeros.
    """
    if not batch.inputs.is_floating_point():
        raise ValueError("synflow sends ones through a student, and this one takes tokens")
    flowing = _without_normalisation(copy.deepcopy(body)).double().eval()
    with torch.no_grad():
        for parameter in flowing.parameters():
            parameter.abs_()
    parameters = [parameter for parameter in flowing.parameters() if parameter.requires_grad]
    ones = torch.ones(1, *batch.inputs.shape[1:], dtype=torch.float64)
    with torch.enable_grad():
        through: Tensor = flowing(ones).sum()
        slopes = torch.autograd.grad(through, parameters, allow_unused=True)
    shares = [
        float((parameter.detach() * slope).abs().sum())
        for parameter, slope in zip(parameters, slopes, strict=True)
        if slope is not None
    ]
    flow = sum(shares)
    if not 0 < flow < math.inf:
        raise ValueError(f"nothing that can be compared flows through this student: {flow}")
    return math.log(flow)


def _without_normalisation(module: nn.Module) -> nn.Module:
    """Put the identity in the place of each normalisation; changes the module."""
    if isinstance(module, _NORMALISATIONS):
        return nn.Identity()
    for name, child in module.named_children():
        setattr(module, name, _without_normalisation(child))
    return module
