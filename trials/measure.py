"""What a student costs, measured on the graph that ships.

Shape letters: R = rounds.
"""

import math
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import ModelSignature, TensorSpec
from trials.records import VARYING_SIZE, Latency, LatencySettings
from trials.rounds import Timed, Turn, time_graph, time_in_own_process, write_round_files
from trials.sessions import require_provider

_COVERAGE = 0.95


def size_bytes(onnx_bytes: bytes) -> int:
    """Count the bytes that ship: weights and graph, in one file."""
    return len(onnx_bytes)


def measure_latency(
    graph: bytes, signature: ModelSignature, settings: LatencySettings, *, varying: int = VARYING_SIZE
) -> Latency:
    """Time one graph in ONNX Runtime on random inputs, while other work may run beside it.

    Args:
        graph: ONNX.
        signature: Its inputs.
        settings: Batch, threads, provider, how often and how long.
        varying: Size that is given to those which the signature leaves open.

    Returns:
        A provisional latency. Its rounds follow each other at once and within this process, so the interval tells of
        these moments alone.

    Raises:
        ValueError: The provider is unknown or missing.
    """
    turn, feeds = _turn(settings), _feeds(signature, settings, varying)
    timed = [time_graph(graph, feeds, turn) for _ in range(settings.rounds)]
    return _summary(timed, settings, length=_length(signature), provisional=True)


def measure_latencies(
    graphs: Sequence[bytes],
    signatures: Sequence[ModelSignature],
    settings: LatencySettings,
    *,
    seed: int,
    varying: int = VARYING_SIZE,
) -> list[Latency]:
    """Time graphs in ONNX Runtime on random inputs, in turns, so that their latencies compare.

    A round times each graph once, in a session of its own, all in a process of the round's own: runs of one session
    are alike, while sessions and processes differ, since memory lies elsewhere in each. Within a round the graphs take
    turns in an order drawn anew. What makes the machine slow for a while then slows one round of many, and there all
    graphs alike, but for those that it begins or ends with.

    Args:
        graphs: ONNX.
        signatures: Inputs of each.
        settings: Batch, threads, provider, how often and how long.
        seed: Of the orders.
        varying: As in ``measure_latency``.

    Returns:
        One latency a graph: the median over the medians of its rounds, and a 95 % interval of it from the same.

    Raises:
        ValueError: The provider is unknown or missing.
        MeasuringProcessError: A round's process crashed or was killed.
    """
    require_provider(settings.provider)
    turn, chance = _turn(settings), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        write_round_files(Path(folder), graphs, [_feeds(each, settings, varying) for each in signatures])
        orders = [chance.permutation(len(graphs)).tolist() for _ in range(settings.rounds)]
        rounds = [time_in_own_process(Path(folder), order, turn) for order in orders]
    return [
        _summary([timed[n] for timed in rounds], settings, length=_length(signature), provisional=False)
        for n, signature in enumerate(signatures)
    ]


def _length(signature: ModelSignature) -> int | None:
    """Say how many tokens a text has; None where the inputs are no texts."""
    if signature.vocabulary_size is None:
        return None
    (tokens, *past) = signature.inputs
    (size, *_) = tokens.shape
    # Of keys and values that are kept (heads, tokens, width), the tokens count, too.
    before = [each.shape[1] or 0 for each in past if len(each.shape) == 3]
    return (VARYING_SIZE if size is None else size) + (before[0] if before else 0)


def _turn(settings: LatencySettings) -> Turn:
    """Spread runs and time over the rounds."""
    return Turn(
        threads=settings.threads,
        provider=settings.provider,
        warmup_runs=math.ceil(settings.warmup_runs / settings.rounds),
        min_runs=math.ceil(settings.min_runs / settings.rounds),
        seconds=settings.seconds / settings.rounds,
    )


def _summary(rounds: Sequence[Timed], settings: LatencySettings, *, length: int | None, provisional: bool) -> Latency:
    # Runs of one round are not independent, so thousands of them would make an interval that is far too narrow.
    low, median, high = median_interval(np.array([timed.median_ms for timed in rounds]))
    return Latency(
        median_ms=median,
        low_ms=low,
        high_ms=high,
        rounds=len(rounds),
        runs=sum(timed.runs for timed in rounds),
        provisional=provisional,
        device=device_name(settings),
        timestamp_ms=time.time_ns() // 1_000_000,
        length=length,
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


def _feeds(signature: ModelSignature, settings: LatencySettings, varying: int) -> dict[str, NDArray[np.generic]]:
    return {tensor.name: _random_input(tensor, signature, settings.batch_size, varying) for tensor in signature.inputs}


def _random_input(tensor: TensorSpec, signature: ModelSignature, batch_size: int, varying: int) -> NDArray[np.generic]:
    chance = np.random.default_rng(0)
    shape = (batch_size, *(varying if size is None else size for size in tensor.shape))
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return chance.standard_normal(shape).astype(dtype)
    if (
        dtype == np.int64 and signature.vocabulary_size is not None
    ):  # 0 is padding, and a text that is measured has none.
        return chance.integers(1, signature.vocabulary_size, shape).astype(dtype)
    return chance.integers(0, 256 if dtype == np.uint8 else 2, shape).astype(dtype)
