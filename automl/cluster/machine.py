"""The machine that a search runs on, and the versions of what it runs with."""

import importlib.metadata
import os
import platform

import psutil

from automl.config import Config
from trials.measure import device_name
from trials.records import LatencySettings

_LIBRARIES = ("automl-distill", "torch", "onnxruntime", "ray", "optuna", "mlflow", "numpy")


def describe_machine(settings: LatencySettings) -> dict[str, str]:
    """Describe this machine by what a reader of figures must know, each a short text by name."""
    facts = {
        "device": device_name(settings),
        "processors": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for library in _LIBRARIES:
        try:
            facts[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:  # Run from a checkout that is not installed.
            continue
    return facts


def trials_here(config: Config) -> int:
    """Say how many trials a search runs at a time on this machine, if it takes all of its processors."""
    return config.search.in_flight or max(1, int((os.cpu_count() or 1) // max(config.resources.cpus, 0.01)))
