"""Placeholder until merged."""

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from teachers.outputs import Inputs, Outputs


class Taps:
    def __init__(
        self, module: nn.Module, names: Collection[str], *, example: tuple[Tensor, ...], aliases: Mapping[str, str] = {}
    ) -> None: ...
    def __call__(self, *inputs: Inputs) -> Outputs:
        raise NotImplementedError
