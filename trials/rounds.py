"""Rounds of measuring: graphs opened anew, warmed up and timed, one after the other.

Free of torch, so that the process that runs a round starts in a moment.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trials.sessions import open_session

# As the modules of this process are found, so are those of the other one.
_BOOT = (
    "import json, sys; given = json.load(sys.stdin); sys.path[:] = given.pop('sys_path'); "
    "from trials.rounds import serve; sys.stdout.write(serve(given))"
)


class MeasuringProcessError(RuntimeError):
    """The process of a round ended before it had answered."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What each graph gets of one round.

    Args:
        threads: Threads that ONNX Runtime may use.
        provider: Execution provider: ``cpu`` or ``cuda``.
        warmup_runs: Runs that are not timed.
        min_runs: Timed runs at least.
        seconds: Time to go on timing for, in seconds.
    """

    threads: int
    provider: str
    warmup_runs: int
    min_runs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What one round found out about one graph.

    Args:
        median_ms: Median of its runs, in milliseconds.
        runs: Timed runs.
    """

    median_ms: float
    runs: int


def time_graph(graph: bytes, feeds: Mapping[str, NDArray[np.generic]], turn: Turn) -> Timed:
    """Open a graph, warm it up and time it.

    Args:
        graph: ONNX.
        feeds: Its inputs by name.
        turn: How, and for how long.

    Raises:
        ValueError: The provider is unknown or missing.
    """
    session = open_session(graph, threads=turn.threads, provider=turn.provider)
    for _ in range(turn.warmup_runs):
        session.run(None, feeds)
    nanoseconds: list[int] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = time.perf_counter_ns() + int(turn.seconds * 1e9)
        before = time.perf_counter_ns()
        while len(nanoseconds) < turn.min_runs or before < end:
            before = time.perf_counter_ns()
            session.run(None, feeds)
            nanoseconds.append(time.perf_counter_ns() - before)
    finally:
        if collecting:
            gc.enable()
    return Timed(median_ms=float(np.median(nanoseconds)) / 1e6, runs=len(nanoseconds))


def write_round_files(
    folder: Path, graphs: Sequence[bytes], feeds: Sequence[Mapping[str, NDArray[np.generic]]]
) -> None:
    """Write what processes of their own read: the graphs by their position, and the inputs of each."""
    for position, (graph, inputs) in enumerate(zip(graphs, feeds, strict=True)):
        _graph_file(folder, position).write_bytes(graph)
        np.savez(feeds_file(folder, position), **inputs)  # type: ignore[arg-type] # numpy means its own keywords by it


def time_in_own_process(folder: Path, order: Sequence[int], turn: Turn) -> dict[int, Timed]:
    """Run a round in a process that lives no longer.

    Args:
        folder: As ``write_round_files`` left it.
        order: Positions of the graphs, in the order in which they are timed.
        turn: What each of them gets.

    Returns:
        What was found out, by position.

    Raises:
        MeasuringProcessError: The process crashed or was killed.
    """
    given = {"sys_path": sys.path, "folder": str(folder), "order": list(order), "turn": asdict(turn)}
    ended = subprocess.run(  # noqa: S603 # this interpreter, with a text of ours
        [sys.executable, "-I", "-c", _BOOT], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        last = ended.stderr.strip().rpartition("\n")[2] or "it said nothing; perhaps it was killed for want of memory"
        raise MeasuringProcessError(
            f"the process that measures latency ended with {ended.returncode} before it had answered: {last}"
        )
    return {int(position): Timed(**timed) for position, timed in json.loads(ended.stdout).items()}


def serve(given: Mapping[str, Any]) -> str:
    """Run a round, as the process of its own; ``given`` and the answer are plain data."""
    folder, turn = Path(given["folder"]), Turn(**given["turn"])
    timed = {}
    for position in given["order"]:
        with np.load(feeds_file(folder, position)) as arrays:
            feeds = dict(arrays)
        timed[position] = asdict(time_graph(_graph_file(folder, position).read_bytes(), feeds, turn))
    return json.dumps(timed)


def feeds_file(folder: Path, position: int) -> Path:
    """Say where the inputs of a graph are, in the folder that a process of its own reads."""
    return folder / f"{position}.npz"


def _graph_file(folder: Path, position: int) -> Path:
    return folder / f"{position}.onnx"
