"""NASWOT: how well an untrained network tells samples apart.

Shape letters: B = batch, U = units.
"""

import torch
from torch import Tensor, nn

from trials.proxies.first_step import at_first_step
from trials.proxies.proxy import ProxyBatch

_ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Sigmoid,
    nn.Hardsigmoid,
    nn.Tanh,
)
_DIAGONAL = 1e-3
"""Added to the kernel, whose entries are counts of units: where two samples have one code it has no inverse."""


def naswot(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Give log|K|, K the kernel of the samples' binary codes (Mellor et al., 2021, section 3).

    https://arxiv.org/abs/2006.04647

    A sample's code says which units are on, and K counts the units on which two samples agree. The paper has rectifiers
    alone, where a unit that is off lets nothing through. A unit of any other activation counts as on where what enters
    it is above 0: it bends there for GELU, SiLU and Hardswish, much as a rectifier does; for a sigmoid or tanh that
    says on which side of the middle it is, and no more. Activations that are functions and no modules are not seen.
    """
    codes: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        del module
        codes.append((inputs[0].detach() > 0).flatten(1).float())

    seen = at_first_step(body)
    for module in seen.modules():
        if isinstance(module, _ACTIVATIONS):
            module.register_forward_pre_hook(keep)  # torch has no other way to see what passes between modules
    with torch.no_grad():
        seen(batch.inputs)
    if not codes:
        raise ValueError("naswot reads what enters activation modules, and this student has none")
    kernel_BB = _DIAGONAL * torch.eye(len(batch.inputs), dtype=torch.float64)
    for code_BU in codes:
        on_B = code_BU.sum(dim=1)
        # Units that are off in both are all of them less those that are on in either; float32 counts without error.
        both_BB = code_BU @ code_BU.T
        kernel_BB += 2 * both_BB + code_BU.shape[1] - on_B[:, None] - on_B[None]
    return float(torch.linalg.slogdet(kernel_BB).logabsdet)
