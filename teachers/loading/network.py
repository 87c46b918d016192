"""A network of transformers as teachers run it: by the names of its inputs, with features, light to send."""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from teachers.loading.callable import frozen
from teachers.loading.loaded import as_outputs
from teachers.outputs import Outputs
from teachers.taps import Taps, unaliased

Arguments = Mapping[str, Tensor]
"""Inputs of a network by the names that its ``forward`` has for them."""


class Network:
    """Runs a module without gradients; on a GPU, where this process has one, in bfloat16.

    It travels as its bare structure and one array a parameter. With 91 MB of weights, as measured, a module that is
    pickled as it is takes 0.5 s and 177 MB beside; arrays, which go into Ray's store as they are, take 0.1 s and
    nothing. They travel rather than the path of their folder, which another machine may lack and this one may change;
    to read the folder again takes longer than the 0.4 s to unpack them.
    """

    def __init__(self, module: nn.Module, taps: Mapping[str, str] | None = None) -> None:
        """Freeze a module.

        Args:
            module: Its ``forward`` takes tensors by name, and gives a tensor or a record of transformers.
            taps: Names of features by alias.
        """
        self.module = frozen(module)
        self._aliases = dict(taps or {})
        self._order = tuple(inspect.signature(module.forward).parameters.values())
        self._taps: dict[tuple[str, ...], Taps] = {}
        self._device: torch.device | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as a structure without weights, and the weights as arrays."""
        bare = {id(each): _placeholder(each) for each in self.module.parameters()}
        weights = [_array(each) for each in self.module.parameters()]
        return _rebuilt, (copy.deepcopy(self.module, dict(bare)), weights, self._aliases)

    def __call__(self, arguments: Arguments, features: tuple[str, ...] = ()) -> Outputs:
        """Run it.

        Args:
            arguments: Each (B, ...).
            features: Names of the features that are wanted.

        Returns:
            In float32, where the arguments are: ``logits``, or the first tensor that the module gives, and features.
        """
        device = self._ready()
        home = next(iter(arguments.values())).device
        inputs = self._positional({name: _fitting(value, device) for name, value in arguments.items()})
        with torch.no_grad():
            answer = as_outputs(self._tapped(inputs, features) if features else _first(self.module(*inputs)))
        return Outputs(
            logits=answer.logits.to(home), features={name: value.to(home) for name, value in answer.features.items()}
        )

    def ready(self) -> torch.device:
        """Bring the module to where this process computes, and say where that is."""
        return self._ready()

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return unaliased(name, self._aliases)

    def _ready(self) -> torch.device:
        if self._device is None:
            self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            if self._device.type == "cuda":
                self.module.to(self._device, torch.bfloat16)
        return self._device

    def _tapped(self, inputs: tuple[Any, ...], names: tuple[str, ...]) -> Outputs:
        if names not in self._taps:
            self._taps[names] = Taps(self.module, names, example=inputs, aliases=self._aliases)
        return self._taps[names](*inputs)

    def _positional(self, arguments: Arguments) -> tuple[Any, ...]:
        """Put arguments into the order of ``forward``, since features are found in a call by position."""
        last = max(place for place, each in enumerate(self._order) if each.name in arguments)
        return tuple(arguments.get(each.name, each.default) for each in self._order[: last + 1])


def _first(answer: object) -> object:
    """Give a record's logits as they are; of a network without a head, its first tensor."""
    if isinstance(answer, Tensor) or hasattr(answer, "logits"):
        return answer
    return answer[0]  # type: ignore[index] # a record of transformers


def _fitting(value: Tensor, device: torch.device) -> Tensor:
    dtype = torch.bfloat16 if device.type == "cuda" and value.is_floating_point() else value.dtype
    return value.to(device, dtype)


def _placeholder(parameter: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(torch.empty(0, dtype=torch.float32), requires_grad=False)


def _array(parameter: nn.Parameter) -> tuple[NDArray[np.uint8], torch.dtype, tuple[int, ...]]:
    """Give the bytes of a parameter; numpy has no bfloat16."""
    values = parameter.detach().cpu().contiguous()
    return values.reshape(-1).view(torch.uint8).numpy(), values.dtype, tuple(values.shape)


def _rebuilt(
    module: nn.Module, weights: list[tuple[NDArray[np.uint8], torch.dtype, tuple[int, ...]]], aliases: dict[str, str]
) -> Network:
    for parameter, (values, dtype, shape) in zip(module.parameters(), weights, strict=True):
        # A copy, since what Ray's store holds is everybody's; placed by PyTorch, so that it computes the same bits.
        parameter.data = torch.empty(shape, dtype=dtype)
        parameter.data.reshape(-1).view(torch.uint8).numpy()[:] = values
    return Network(module, aliases)
