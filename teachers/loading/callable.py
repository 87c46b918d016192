"""A teacher that is given as an object from Python."""

import inspect
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from teachers.digests import record_digest, tensors_digest
from teachers.loading.loaded import LoadedModel, as_outputs
from teachers.outputs import Inputs, Outputs
from teachers.preprocessing import Preprocessing
from teachers.taps import Taps, unaliased
from teachers.teacher import TeacherModel

_EXAMPLE_ROWS = 2
"""Rows on which features are looked for."""


class CallableModel:
    """Calls an object, and sees to it that no gradient flows and that raw inputs stay as they are."""

    def __init__(
        self,
        model: TeacherModel | nn.Module,
        preprocessing: Preprocessing | None,
        taps: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the object.

        Args:
            model: Takes a batch; a module must be in evaluation mode.
            preprocessing: Goes before it; None hands it a copy of the raw inputs.
            taps: Names of features by alias.

        Attributes:
            module: The model if it is a module, else None.
            preprocessing: As given.
        """
        self.module = model if isinstance(model, nn.Module) else None
        self.preprocessing = preprocessing
        self._model = model
        self._aliases = dict(taps or {})
        self._taps: dict[tuple[str, ...], Taps] = {}
        self._told_features = self.module is None and _takes_features(model)

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch."""
        if self.preprocessing is not None:
            inputs = self.preprocessing(inputs)
        elif isinstance(inputs, Tensor):
            inputs = inputs.clone()
        else:
            inputs = list(inputs)
        with torch.no_grad():
            if not features:
                return as_outputs(self._model(inputs))
            if self.module is not None:
                return as_outputs(self._tapped(self.module, inputs, tuple(features)))
            return self._own_features(inputs, features)

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return unaliased(name, self._aliases)

    def _tapped(self, module: nn.Module, inputs: Inputs, names: tuple[str, ...]) -> Outputs:
        if names not in self._taps:
            self._taps[names] = Taps(module, names, example=(inputs[:_EXAMPLE_ROWS],), aliases=self._aliases)
        return self._taps[names](inputs)

    def _own_features(self, inputs: Inputs, names: Collection[str]) -> Outputs:
        wanted = {name: self.feature_id(name) for name in names}
        answer = as_outputs(self._model(inputs, wanted.values()) if self._told_features else self._model(inputs))
        if missing := sorted(set(wanted.values()) - answer.features.keys()):
            raise ValueError(
                f"the teacher gives no features {', '.join(missing)}; it gives "
                f"{', '.join(sorted(answer.features)) or 'none'}, and only modules of torch can be asked for others"
            )
        features = {name: answer.features[own] for name, own in wanted.items()}
        return Outputs(logits=answer.logits, features=features)


def _takes_features(model: TeacherModel | nn.Module) -> bool:
    try:
        inspect.signature(model).bind(None, ())
    except (TypeError, ValueError):  # It takes inputs alone, or is written in C.
        return False
    return True


def frozen(module: nn.Module) -> nn.Module:
    """Put a module into evaluation mode and forbid gradients of its parameters."""
    return module.eval().requires_grad_(False)


def load_callable(
    *,
    model: TeacherModel | nn.Module,
    preprocessing: Preprocessing | None = None,
    digest: str = "",
    taps: Mapping[str, str] | None = None,
) -> LoadedModel:
    """Take a model as it is.

    Args:
        model: A module, which is frozen, or anything that answers for a batch.
        preprocessing: Goes before the model; None hands it the raw inputs.
        digest: Names the parameters; needed unless the model is a module.
        taps: Names of features by alias.

    Raises:
        ValueError: Neither a digest nor a module was given.
    """
    if isinstance(model, nn.Module):
        model = frozen(model)
        digest = digest or f"{type(model).__qualname__} {tensors_digest(model.state_dict())}"
    if not digest:
        raise ValueError("a callable teacher needs a digest that changes with its parameters, got none")
    parts = ["callable", digest, preprocessing and preprocessing.digest]
    return LoadedModel(model=CallableModel(model, preprocessing, taps), digest=record_digest(parts))
