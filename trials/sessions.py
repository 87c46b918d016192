"""Graphs opened in ONNX Runtime; free of torch, so that a process that only runs a graph starts in a moment."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""ONNX Runtime's name of an execution provider, by ours."""


def require_provider(provider: str) -> None:
    """Make sure that this machine's ONNX Runtime has an execution provider.

    Args:
        provider: ``cpu`` or ``cuda``.

    Raises:
        ValueError: It is unknown or missing.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"unknown provider {provider!r}; known are {', '.join(sorted(PROVIDERS))}")
    if PROVIDERS[provider] not in onnxruntime.get_available_providers():
        raise ValueError(f"ONNX Runtime has no provider {provider!r} here; install onnxruntime-gpu, or take 'cpu'")


def open_session(onnx_bytes: bytes, *, threads: int, provider: str) -> onnxruntime.InferenceSession:
    """Open a graph in ONNX Runtime, its operations one after the other.

    Args:
        onnx_bytes: The graph.
        threads: Threads of one operation.
        provider: ``cpu`` or ``cuda``.

    Raises:
        ValueError: The provider is unknown, or this machine's ONNX Runtime has none of that kind.
    """
    require_provider(provider)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # Errors only: it warns of every constant that it folds away.
    return onnxruntime.InferenceSession(onnx_bytes, options, providers=[PROVIDERS[provider]])


def nothing_before(inputs: Iterable[Any], num_texts: int) -> dict[str, NDArray[np.float32]]:
    """Give keys and values of no tokens to a graph that goes on from some, by name.

    Args:
        inputs: Of the session, those of keys and values.
        num_texts: That are begun.
    """
    shapes = {each.name: [size if isinstance(size, int) else 0 for size in each.shape[1:]] for each in inputs}
    return {name: np.zeros((num_texts, *shape), dtype=np.float32) for name, shape in shapes.items()}
