"""How teachers are loaded, one file a kind."""

from collections.abc import Callable

from teachers.loading.callable import load_callable
from teachers.loading.estimator import load_estimator
from teachers.loading.exported import load_exported
from teachers.loading.factory import load_factory
from teachers.loading.loaded import LoadedModel
from teachers.loading.onnx import load_onnx

LOADERS: dict[str, Callable[..., LoadedModel]] = {
    "callable": load_callable,
    "estimator": load_estimator,
    "exported": load_exported,
    "factory": load_factory,
    "onnx": load_onnx,
}
"""By the name that stands in a config, but for ``callable``: an object from Python, which no config can hold.

All take keyword arguments alone, ``preprocessing`` among them, and ``taps`` but for estimators, which have no features.
"""

__all__ = [
    "LOADERS",
    "LoadedModel",
    "load_callable",
    "load_estimator",
    "load_exported",
    "load_factory",
    "load_onnx",
]
