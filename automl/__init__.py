"""Distil from several teachers, search the student, and get the front of what can be shipped.

Names are imported when they are first used, so that running an exported student needs no PyTorch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.predict import predict as predict
    from automl.run_folder import load_run as load_run
    from automl.search import search as search

__all__ = ["load_run", "predict", "search"]

_HOMES = {"load_run": "automl.run_folder", "predict": "automl.predict", "search": "automl.search"}


def __getattr__(name: str) -> Any:
    """Import a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module 'automl' has no attribute {name!r}; it has {sorted(_HOMES)}")
    from importlib import import_module

    # A module of the same name would otherwise take the function's place once it is imported.
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
