"""NASWOT: how well an untrained network tells samples apart.

Shape letters: B = batch, U = units.
"""

import torch
from torch import Tensor, nn

from trials.proxies.proxy import ProxyBatch

_ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Hardsigmoid,
    nn.Tanh,
)
_DIAGONAL = 1e-3
"""Added to the kernel, whose entries are counts of units: with fewer units than samples it has no inverse."""


def naswot(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Give log|K|, K the kernel of Hamming distances between the codes of the samples (Mellor et al., 2021, eq. 2).

    https://arxiv.org/abs/2006.04647

    A sample's code says which units are on; K counts the units on which two samples agree. The paper has ReLU alone; here
    a unit of any activation is on where what enters it is above 0.
    """
    codes: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        del module
        codes.append((inputs[0].detach() > 0).flatten(1).double())

    # Codes are of what passes between modules, for which torch has no other way.
    hooks = [each.register_forward_pre_hook(keep) for each in body.modules() if isinstance(each, _ACTIVATIONS)]
    was_training = body.training
    try:
        with torch.no_grad():
            body.eval()(batch.inputs)
    finally:
        body.train(was_training)
        for hook in hooks:
            hook.remove()
    if not codes:
        raise ValueError("naswot reads the inputs of activation modules, and this student has none")
    code_BU = torch.cat(codes, dim=1)
    kernel_BB = code_BU @ code_BU.T + (1 - code_BU) @ (1 - code_BU).T
    kernel_BB += _DIAGONAL * torch.eye(len(kernel_BB), dtype=torch.float64)
    return float(torch.linalg.slogdet(kernel_BB).logabsdet)
