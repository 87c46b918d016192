"""A teacher that is given as an object from Python."""

from collections.abc import Collection

import torch
from torch import nn

from teachers.digests import record_digest, tensors_digest
from teachers.loading.loaded import LoadedModel, as_outputs
from teachers.outputs import Inputs, Outputs
from teachers.preprocessing import Preprocessing
from teachers.teacher import TeacherModel


class CallableModel:
    """Calls an object, and sees to it that no gradient flows and that raw inputs stay as they are."""

    def __init__(self, model: TeacherModel | nn.Module, preprocessing: Preprocessing | None) -> None:
        """Keep the object.

        Args:
            model: Takes a batch; a module must be in evaluation mode.
            preprocessing: Goes before it; None hands it a copy of the raw inputs.
        """
        self._model = model
        self._preprocessing = preprocessing

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch."""
        if self._preprocessing is not None:
            inputs = self._preprocessing(inputs)
        elif isinstance(inputs, torch.Tensor):
            inputs = inputs.clone()
        else:
            inputs = list(inputs)
        with torch.no_grad():
            return as_outputs(self._model(inputs))


def frozen(module: nn.Module) -> nn.Module:
    """Put a module into evaluation mode and forbid gradients of its parameters."""
    return module.eval().requires_grad_(False)


def load_callable(
    *, model: TeacherModel | nn.Module, preprocessing: Preprocessing | None = None, digest: str = ""
) -> LoadedModel:
    """Take a model as it is.

    Args:
        model: A module, which is frozen, or anything that answers for a batch.
        preprocessing: Goes before the model; None hands it the raw inputs.
        digest: Names the parameters; needed unless the model is a module.

    Raises:
        ValueError: Neither a digest nor a module was given.
    """
    if isinstance(model, nn.Module):
        model = frozen(model)
        digest = digest or f"{type(model).__qualname__} {tensors_digest(model.state_dict())}"
    if not digest:
        raise ValueError("a callable teacher needs a digest that changes with its parameters, got none")
    parts = ["callable", digest, preprocessing and preprocessing.digest]
    return LoadedModel(model=CallableModel(model, preprocessing), digest=record_digest(parts))
