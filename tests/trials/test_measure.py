import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from search_spaces import ModelSignature, TensorSpec
from trials import measure
from trials.measure import (
    device_name,
    measure_latencies,
    measure_latency,
    median_interval,
    size_bytes,
)
from trials.records import LEAST_ROUNDS, VARYING_SIZE, LatencySettings
from trials.rounds import Timed, Turn

ROW = (TensorSpec(name="row", shape=(3,)),)
SIGNATURE = ModelSignature(inputs=ROW, outputs=(TensorSpec(name="logits", shape=(3,)),))
QUICK = LatencySettings(rounds=6, warmup_runs=2, min_runs=30, seconds=0.0)


def identity(element: int = TensorProto.FLOAT, shape: tuple = ("batch", 3)) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["row"], ["logits"])],
        "graph",
        [helper.make_tensor_value_info("row", element, shape)],
        [helper.make_tensor_value_info("logits", element, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


@dataclass
class Rounds:
    """Stands in for processes of their own: what was timed, in which order, and how slow the machine was."""

    slowness: Callable[[int], float] = lambda turn: 1.0
    orders: list[list[int]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    graphs: list[bytes] = field(default_factory=list)
    num_timed: int = 0

    def run(self, folder: Path, order: list[int], turn: Turn) -> dict[int, Timed]:
        self.graphs = [(folder / f"{position}.onnx").read_bytes() for position in sorted(order)]
        self.orders.append(order)
        self.turns.append(turn)
        timed = {}
        for position in order:
            # A graph that says 3 takes 3 ms while the machine is at ease.
            median = float(self.graphs[position].decode()) * self.slowness(self.num_timed)
            timed[position] = Timed(median_ms=median, runs=turn.min_runs)
            self.num_timed += 1
        return timed


@pytest.fixture
def rounds(monkeypatch):
    """Give ``rounds(slowness)``; ``slowness`` tells by the number of the turn how slow the machine is."""

    def install(slowness=lambda turn: 1.0) -> Rounds:
        stand_in = Rounds(slowness=slowness)
        monkeypatch.setattr(measure, "time_in_own_process", stand_in.run)
        return stand_in

    return install


@pytest.fixture
def timed_here(monkeypatch):
    """Let the rounds within this process have medians that a test chose; gives what each of them got."""

    def install(medians: list[float]) -> list[Any]:
        waiting, seen = list(medians), []

        def time_graph(graph, feeds, turn):
            seen.append((graph, feeds, turn))
            return Timed(median_ms=waiting.pop(0), runs=turn.min_runs)

        monkeypatch.setattr(measure, "time_graph", time_graph)
        return seen

    return install


@pytest.mark.parametrize(
    # Ranks of the 95 % interval of the median: tables of the sign test.
    ("num_values", "low_rank"),
    [(6, 1), (8, 1), (9, 2), (10, 2), (15, 4), (20, 6), (25, 8), (30, 10), (40, 14), (50, 18), (100, 40)],
)
def test_interval_has_the_ranks_of_the_sign_test(num_values, low_rank):
    low, median, high = median_interval(np.random.default_rng(0).permutation(np.arange(1.0, num_values + 1)))
    assert (low, high) == (low_rank, num_values + 1 - low_rank)
    assert median == (num_values + 1) / 2


@pytest.mark.parametrize("num_values", [7, 33, 64, 101, 900])
def test_interval_is_the_narrowest_that_covers_95_percent(num_values):
    low, _, _ = median_interval(np.arange(1.0, num_values + 1))

    def coverage(rank: int) -> float:
        return 1 - 2 * sum(math.comb(num_values, k) for k in range(rank)) / 2**num_values

    assert coverage(int(low)) >= 0.95 > coverage(int(low) + 1)


def test_interval_covers_the_true_median_of_a_skewed_distribution():
    chance = np.random.default_rng(0)
    intervals = [median_interval(chance.lognormal(0, 2, size=101)) for _ in range(1_000)]
    covered = np.mean([low <= 1.0 <= high for low, _, high in intervals])
    assert 0.93 <= covered <= 0.98


def test_few_values_give_their_extremes_and_many_do_not_overflow():
    assert median_interval(np.array([3.0, 1.0])) == (1.0, 2.0, 3.0)
    low, median, high = median_interval(np.arange(100_001.0))
    assert median == 50_000
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(100_001) / 2, rel=0.01)


def test_latency_and_interval_are_of_the_medians_of_rounds(timed_here):
    seen = timed_here([5.0, 1.0, 4.0, 9.0, 2.0, 3.0, 8.0, 7.0, 6.0])
    latency = measure_latency(b"graph", SIGNATURE, LatencySettings(min_runs=90))
    # The second smallest and the second largest of nine, as in the tables of the sign test.
    assert (latency.low_ms, latency.median_ms, latency.high_ms) == (2.0, 5.0, 8.0)
    assert (latency.rounds, latency.runs) == (9, 90)
    assert latency.provisional
    assert [graph for graph, _, _ in seen] == [b"graph"] * 9


def test_runs_and_time_are_spread_over_the_rounds(timed_here, rounds):
    settings = LatencySettings(rounds=8, warmup_runs=20, min_runs=100, seconds=4.0, threads=3)
    expected = Turn(threads=3, provider="cpu", warmup_runs=3, min_runs=13, seconds=0.5)
    seen, apart = timed_here([1.0] * 8), rounds()
    measure_latency(b"1", SIGNATURE, settings)
    measure_latencies([b"1"], [SIGNATURE], settings, seed=0)
    assert [turn for _, _, turn in seen] == apart.turns == [expected] * 8


@pytest.mark.parametrize("num_rounds", [6, 7, 9, 15])
def test_fewer_rounds_than_give_95_percent_are_refused(num_rounds):
    assert 1 - 2 / 2**LEAST_ROUNDS >= 0.95 > 1 - 2 / 2 ** (LEAST_ROUNDS - 1)
    assert LatencySettings(rounds=num_rounds).rounds == num_rounds
    with pytest.raises(ValueError, match="rounds must be 6 or more, for an interval of 95 %; got 5"):
        LatencySettings(rounds=5)


def test_every_round_times_every_graph_once_in_an_order_of_its_own(rounds):
    graphs = [str(ms).encode() for ms in range(1, 13)]
    first = rounds()
    latencies = measure_latencies(graphs, [SIGNATURE] * len(graphs), LatencySettings(), seed=1)
    assert [latency.median_ms for latency in latencies] == list(range(1, 13))
    assert not any(latency.provisional for latency in latencies)
    assert all(sorted(order) == list(range(12)) for order in first.orders)
    assert len({tuple(order) for order in first.orders}) == 9
    assert first.graphs == graphs
    again, other = rounds(), None
    measure_latencies(graphs, [SIGNATURE] * len(graphs), LatencySettings(), seed=1)
    assert again.orders == first.orders
    other = rounds()
    measure_latencies(graphs, [SIGNATURE] * len(graphs), LatencySettings(), seed=2)
    assert other.orders != first.orders


def test_a_machine_that_slows_down_for_a_while_moves_no_latency(rounds):
    # Slow by half for two rounds and a bit of twelve graphs each: two or three of nine medians of each graph.
    graphs = [str(ms).encode() for ms in range(1, 13)]
    rounds(lambda turn: 1.5 if 30 <= turn < 60 else 1.0)
    latencies = measure_latencies(graphs, [SIGNATURE] * len(graphs), LatencySettings(), seed=0)
    assert [latency.median_ms for latency in latencies] == list(range(1, 13))
    assert [latency.low_ms for latency in latencies] == list(range(1, 13))
    assert all(latency.high_ms == 1.5 * latency.median_ms for latency in latencies)


def test_a_drift_is_shared_by_equal_graphs_and_lies_within_their_intervals(rounds):
    # The machine slows down all the time, to twice what it was; one graph after the other would differ by as much.
    graphs, num_rounds = [b"1"] * 12, 9
    rounds(lambda turn: 1 + turn / (12 * num_rounds))
    latencies = measure_latencies(graphs, [SIGNATURE] * len(graphs), LatencySettings(rounds=num_rounds), seed=0)
    medians = [latency.median_ms for latency in latencies]
    # A round is a ninth of the drift, and in the middle round graphs differ by no more.
    assert max(medians) - min(medians) <= 1 / num_rounds
    assert all(latency.low_ms < min(medians) and max(medians) < latency.high_ms for latency in latencies)


def test_inputs_have_the_batch_and_type_of_the_signature(timed_here):
    inputs = (
        TensorSpec(name="image", shape=(1, 4, 4), dtype="uint8"),
        TensorSpec(name="row", shape=(3,)),
        TensorSpec(name="ids", shape=(None,), dtype="int64"),
    )
    signature = ModelSignature(inputs=inputs, outputs=SIGNATURE.outputs, vocabulary_size=7)
    seen = timed_here([1.0] * 6)
    measure_latency(b"", signature, LatencySettings(batch_size=5, rounds=6))
    feeds = seen[0][1]
    assert {name: (values.shape, values.dtype.name) for name, values in feeds.items()} == {
        "image": ((5, 1, 4, 4), "uint8"),
        "row": ((5, 3), "float32"),
        "ids": ((5, VARYING_SIZE), "int64"),
    }
    assert feeds["image"].max() > 128
    assert set(np.unique(feeds["ids"])) == set(range(1, 7))  # 0 is padding, and a text that is measured has none.


def test_real_graphs_are_measured_with_interval_device_and_standing():
    provisional = measure_latency(identity(), SIGNATURE, QUICK)
    alone = measure_latencies([identity(), identity()], [SIGNATURE, SIGNATURE], QUICK, seed=0)
    assert [latency.provisional for latency in (provisional, *alone)] == [True, False, False]
    for latency in (provisional, *alone):
        assert 0 < latency.low_ms <= latency.median_ms <= latency.high_ms < 100
        assert (latency.rounds, latency.runs) == (6, 30)
        assert latency.device == device_name(QUICK)
        assert abs(latency.timestamp_ms / 1000 - time.time()) < 600


def test_an_unknown_provider_is_refused():
    with pytest.raises(ValueError, match="unknown provider 'npu'"):
        measure_latency(identity(), SIGNATURE, LatencySettings(provider="npu"))
    with pytest.raises(ValueError, match="unknown provider 'npu'"):
        measure_latencies([identity()], [SIGNATURE], LatencySettings(provider="npu"), seed=0)


def test_devices_are_named_with_their_threads(monkeypatch):
    monkeypatch.setattr(measure, "_processor_name", lambda: "Quick 9000")
    assert device_name(LatencySettings(threads=1)) == "Quick 9000, 1 thread"
    assert device_name(LatencySettings(threads=4)) == "Quick 9000, 4 threads"


def test_processors_without_a_model_name_still_have_a_name(monkeypatch):
    monkeypatch.setattr(measure.Path, "exists", lambda _: False)
    monkeypatch.setattr(measure.platform, "processor", lambda: "")
    monkeypatch.setattr(measure.platform, "machine", lambda: "aarch64")
    assert device_name(LatencySettings()) == "aarch64, 1 thread"


def test_size_is_that_of_the_file(tmp_path):
    graph = identity()
    (tmp_path / "model.onnx").write_bytes(graph)
    assert size_bytes(graph) == (tmp_path / "model.onnx").stat().st_size
