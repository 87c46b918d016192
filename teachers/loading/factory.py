"""A teacher made by a function and filled with weights from a file."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from teachers.digests import record_digest, tensors_digest
from teachers.loading.callable import CallableModel, frozen
from teachers.loading.loaded import LoadedModel, existing_file
from teachers.preprocessing import Preprocessing

_SHOWN_KEYS = 5


def load_factory(
    *,
    factory: Callable[..., nn.Module],
    weights: str | Path | None,
    options: Mapping[str, object] | None = None,
    preprocessing: Preprocessing | None = None,
    taps: Mapping[str, str] | None = None,
) -> LoadedModel:
    """Build a module and load its weights; nothing is unpickled.

    Args:
        factory: Returns the module; already imported.
        weights: A ``.safetensors`` file, or a state dict that ``torch.save`` wrote (it may stand under the key
            ``state_dict``); None keeps the weights that the factory gave.
        options: Keyword arguments of the factory, as plain data.
        preprocessing: Goes before the module; None only turns inputs into float32.
        taps: Names of features by alias.

    Raises:
        ValueError: The factory raised or returned something else, the file holds more than tensors, or names or shapes
            differ.
    """
    preprocessing = preprocessing or Preprocessing()
    name = f"{getattr(factory, '__module__', '')}:{getattr(factory, '__qualname__', type(factory).__name__)}"
    try:
        module = factory(**(options or {}))
    except Exception as error:  # It is the user's code.
        given = f"with options {dict(options)}" if options else "without options"
        raise ValueError(f"factory {name}, called {given}, raised {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        found = type(module).__name__
        raise ValueError(f"factory {name} must return a torch.nn.Module, got {found}")
    if weights is not None:
        path = existing_file(weights, "weights of a teacher")
        _fill(module, _read_state(path), path)
    module = frozen(module)
    plain_options = json.loads(json.dumps(dict(options or {}), default=repr))
    parts = ["factory", name, plain_options, tensors_digest(module.state_dict()), preprocessing.digest]
    return LoadedModel(model=CallableModel(module, preprocessing, taps), digest=record_digest(parts))


def _read_state(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors: dict[str, Tensor] = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
        return tensors
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} cannot be read as a state dict: it is damaged or holds more than tensors; "
            "write it with safetensors, or with torch.save(model.state_dict(), path)"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} must hold a state dict (tensors by name), got {type(state).__name__} of other things")
    return state


def _fill(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    own = module.state_dict()
    faults = [
        ("missing", sorted(own.keys() - state.keys())),
        ("unexpected", sorted(state.keys() - own.keys())),
        (
            "of another shape",
            [
                f"{key} (file {tuple(state[key].shape)}, module {tuple(own[key].shape)})"
                for key in sorted(own.keys() & state.keys())
                if state[key].shape != own[key].shape
            ],
        ),
    ]
    if any(keys for _, keys in faults):
        listed = "; ".join(f"{len(keys)} {what}: {_brief(keys)}" for what, keys in faults if keys)
        raise ValueError(f"weights in {path} do not fit the module: {listed}; check the factory and its options")
    module.load_state_dict(dict(state))


def _brief(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN_KEYS]) + (", …" if len(keys) > _SHOWN_KEYS else "")
