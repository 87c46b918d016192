"""Number of parameters: what every other score has to beat."""

from torch import nn

from trials.proxies.proxy import ProxyBatch


def params(body: nn.Module, batch: ProxyBatch, /) -> float:
    """Count the trainable parameters."""
    del batch
    return float(sum(parameter.numel() for parameter in body.parameters() if parameter.requires_grad))
