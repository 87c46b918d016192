"""Distil from several teachers, search the student, and get the front of what can be shipped.

Names are imported when they are first used, so that running an exported student needs no PyTorch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.attribution.attribute import attribute as attribute
    from automl.predicting.predict import predict as predict
    from automl.run_folder import load_run as load_run
    from automl.searching.search import distill as distill
    from automl.searching.search import search as search

__all__ = ["attribute", "distill", "load_run", "predict", "search"]

_HOMES = {
    "attribute": "automl.attribution.attribute",
    "distill": "automl.searching.search",
    "load_run": "automl.run_folder",
    "predict": "automl.predicting.predict",
    "search": "automl.searching.search",
}


def __getattr__(name: str) -> Any:
    """Import a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module 'automl' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    from importlib import import_module

    from automl.shadowing import refuse_shadows

    refuse_shadows()
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
