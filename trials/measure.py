"""What a student costs, measured on the graph that ships.

Shape letters: R = timed runs.
"""

import gc
import platform
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import ModelSignature, TensorSpec
from trials.export import open_session
from trials.records import Latency, LatencySettings

VARYING_SIZE = 128
"""Size given to a dimension that varies, as a sequence's length, when latency is measured."""

_COVERAGE = 0.95


def size_bytes(onnx_bytes: bytes) -> int:
    """Count the bytes that ship: weights and graph, in one file."""
    return len(onnx_bytes)


def measure_latency(
    onnx_bytes: bytes, signature: ModelSignature, settings: LatencySettings, *, provisional: bool
) -> Latency:
    """Time a graph in ONNX Runtime on random inputs.

    Args:
        onnx_bytes: The graph.
        signature: Its inputs.
        settings: Batch, threads, provider, and how long.
        provisional: Whether other work may run beside it; written down, nothing else.

    Returns:
        The median run and its 95 % interval. The interval tells of the spread within this measurement; another minute
        on a busy machine can give another median.

    Raises:
        ValueError: The provider is unknown or missing.
    """
    session = open_session(onnx_bytes, threads=settings.threads, provider=settings.provider)
    feeds = {tensor.name: _random_input(tensor, signature, settings.batch_size) for tensor in signature.inputs}
    for _ in range(settings.warmup_runs):
        session.run(None, feeds)
    nanoseconds: list[int] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = time.perf_counter_ns() + int(settings.seconds * 1e9)
        before = time.perf_counter_ns()
        while len(nanoseconds) < settings.min_runs or before < end:
            before = time.perf_counter_ns()
            session.run(None, feeds)
            nanoseconds.append(time.perf_counter_ns() - before)
    finally:
        if collecting:
            gc.enable()
    low, median, high = median_interval(np.array(nanoseconds, dtype=np.float64) / 1e6)
    return Latency(
        median_ms=median,
        low_ms=low,
        high_ms=high,
        runs=len(nanoseconds),
        provisional=provisional,
        device=device_name(settings),
    )


def median_interval(values_R: NDArray[np.float64]) -> tuple[float, float, float]:
    """Estimate the median with a 95 % interval that assumes nothing about the distribution.

    The number of values below the true median is binomial with probability one half, so two order statistics, equally
    far from both ends, hold it with a known probability (Hollander, Wolfe and Chicken, 2013, section 3.6).

    Args:
        values_R: At least one, independent of each other.

    Returns:
        Lower end, median, upper end. Fewer than six values cannot give 95 %; then the ends are the extremes.
    """
    ordered_R = np.sort(values_R)
    num_values = len(ordered_R)
    counts = np.arange(1, num_values + 1)
    # log of the binomial probabilities of 0, 1, ..., R values below the median; exact sums overflow from R = 1,100 on.
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((num_values - counts + 1) / counts))])
    tail = np.cumsum(np.exp(log_choose - num_values * np.log(2)))
    # The tail below the rank-th smallest value is the probability of at most rank - 1 values below the median.
    rank = max(int(np.searchsorted(tail, (1 - _COVERAGE) / 2, side="right")), 1)
    return float(ordered_R[rank - 1]), float(np.median(ordered_R)), float(ordered_R[num_values - rank])


def device_name(settings: LatencySettings) -> str:
    """Name the device that a measurement with these settings runs on, with its threads."""
    if settings.provider == "cuda" and torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return f"{_processor_name()}, {settings.threads} thread{'s' if settings.threads > 1 else ''}"


def _processor_name() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _random_input(tensor: TensorSpec, signature: ModelSignature, batch_size: int) -> NDArray[np.generic]:
    chance = np.random.default_rng(0)
    shape = (batch_size, *(VARYING_SIZE if size is None else size for size in tensor.shape))
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return chance.standard_normal(shape).astype(dtype)
    return chance.integers(0, 256 if dtype == np.uint8 else signature.vocabulary_size or 2, shape).astype(dtype)
