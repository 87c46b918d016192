"""How teachers are loaded, one file a kind."""

from collections.abc import Callable

from teachers.loading.callable import load_callable
from teachers.loading.chosen_classes import choose_classes
from teachers.loading.completions import load_completions
from teachers.loading.endpoint import load_endpoint
from teachers.loading.estimator import load_estimator
from teachers.loading.exported import load_exported
from teachers.loading.factory import load_factory
from teachers.loading.loaded import LoadedModel
from teachers.loading.onnx import load_onnx
from teachers.loading.sentence_encoder import load_sentence_encoder
from teachers.loading.transformers import load_transformers

LOADERS: dict[str, Callable[..., LoadedModel]] = {
    "callable": load_callable,
    "completions": load_completions,
    "endpoint": load_endpoint,
    "estimator": load_estimator,
    "exported": load_exported,
    "factory": load_factory,
    "onnx": load_onnx,
    "sentence_encoder": load_sentence_encoder,
    "transformers": load_transformers,
}
"""By the name that stands in a config, but for ``callable``: an object from Python, which no config can hold.

All take keyword arguments alone, ``preprocessing`` among them where a teacher takes numbers, and ``taps`` where it can
have features.
"""

__all__ = [
    "LOADERS",
    "LoadedModel",
    "choose_classes",
    "load_callable",
    "load_completions",
    "load_endpoint",
    "load_estimator",
    "load_exported",
    "load_factory",
    "load_onnx",
    "load_sentence_encoder",
    "load_transformers",
]
