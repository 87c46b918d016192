"""Where training runs: on the processor, or on a graphics processor that the trial has."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from teachers import Batch, TeacherEnsemble, TeacherOutputs


def choose_device(name: str) -> torch.device:
    """Turn a name into a device.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1`` and so on; ``auto`` is ``cuda`` where there is one, else ``cpu``.

    Raises:
        ValueError: PyTorch knows no such device, or there is none here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"unknown device {name!r}; take auto, cpu, cuda or cuda:NUMBER") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but PyTorch finds no CUDA here; take auto or cpu")
    return device


def place_batch(batch: Batch, device: torch.device) -> Batch:
    """Move a batch; texts stay."""
    if batch.index.device == device:
        return batch
    inputs = batch.inputs.to(device) if isinstance(batch.inputs, Tensor) else batch.inputs
    facts = {name: values.to(device) for name, values in batch.facts.items()}
    return replace(batch, index=batch.index.to(device), inputs=inputs, labels=batch.labels.to(device), facts=facts)


def place_outputs(outputs: TeacherOutputs, device: torch.device) -> TeacherOutputs:
    """Move everything that teachers said."""
    if outputs.logits.device == device:
        return outputs
    features = tuple({name: values.to(device) for name, values in each.items()} for each in outputs.features)
    return TeacherOutputs(logits=outputs.logits.to(device), features=features)


def place_ensemble(ensemble: TeacherEnsemble, device: torch.device) -> TeacherEnsemble:
    """Copy an ensemble with its masks on the device."""
    placed = copy.copy(ensemble)
    placed.known_KC = ensemble.known_KC.to(device)
    placed.rows_KN = ensemble.rows_KN.to(device)
    placed.groups = tuple(
        group if group.classes is None else replace(group, classes=group.classes.to(device))
        for group in ensemble.groups
    )
    return placed


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Put PyTorch's random state back at the end, that of the processor and that of the device."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
