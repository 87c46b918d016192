"""What a config asks of this machine and of servers, looked at before anything is read or run."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import torch

from automl.config import Config
from automl.study.storage_driver import require_driver
from automl.tracking import require_uri
from trials.sessions import require_provider

Demand = tuple[tuple[str, ...], Callable[[], None]]
"""Path of a setting, and what raises ValueError where it cannot be had."""


def demands(config: Config) -> Iterator[Demand]:
    """Go through what must be there; no server is spoken to, and a cluster of others tells by itself what it has."""
    if config.address is None:
        resources = config.resources
        machine = {"cpus": (resources.cpus, os.cpu_count() or 1), "gpus": (resources.gpus, torch.cuda.device_count())}
        for setting, (asked, there) in machine.items():
            yield ("resources", setting), partial(_require_room, setting, asked, there)
        yield ("latency", "provider"), partial(require_provider, config.latency.provider)
    yield ("storage",), lambda: _given(config.expanded_storage(), require_driver)
    yield ("tracking", "uri"), lambda: _given(config.tracking.expanded_uri(), require_uri)


def _require_room(setting: str, asked: float, there: int) -> None:
    """Refuse a trial that would wait for ever."""
    if asked > there:
        instead = f"write {there} or less" if there else "write 0, or install PyTorch for the GPUs that there are"
        wanted = f"{asked:g} {setting.upper()[:-1]}{'s' * (asked != 1)}"
        raise ValueError(f"a trial asks for {wanted}, this machine has {there}; {instead}")


def _given(address: str | None, require: Callable[[str], None]) -> None:
    if address is not None:
        require(address)
