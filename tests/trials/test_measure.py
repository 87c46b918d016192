import gc
import math
from itertools import count

import numpy as np
import pytest
from onnx import TensorProto, helper

from search_spaces import ModelSignature, TensorSpec
from trials import measure
from trials.measure import VARYING_SIZE, device_name, measure_latency, median_interval, size_bytes
from trials.records import LatencySettings

ROW = (TensorSpec(name="row", shape=(3,)),)
SIGNATURE = ModelSignature(inputs=ROW, outputs=(TensorSpec(name="logits", shape=(3,)),))
QUICK = LatencySettings(warmup_runs=2, min_runs=30, seconds=0.0)


def identity(element: int = TensorProto.FLOAT, shape: tuple = ("batch", 3)) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["row"], ["logits"])],
        "graph",
        [helper.make_tensor_value_info("row", element, shape)],
        [helper.make_tensor_value_info("logits", element, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


class FakeSession:
    def __init__(self) -> None:
        self.feeds: list[dict[str, np.ndarray]] = []
        self.collecting: list[bool] = []

    def run(self, names, feeds):
        assert names is None
        self.feeds.append(feeds)
        self.collecting.append(gc.isenabled())


@pytest.fixture
def session(monkeypatch):
    fake = FakeSession()
    monkeypatch.setattr(measure, "open_session", lambda *_, **__: fake)
    return fake


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


def test_latency_is_the_median_of_the_runs_on_the_clock(session, monkeypatch):
    # A clock that stands at 1, 2, 4, 8 ms and so on, so that every run takes longer than the one before.
    ticks = count()
    monkeypatch.setattr(measure.time, "perf_counter_ns", lambda: 2 ** min(next(ticks), 60) * 1_000_000)
    settings = LatencySettings(warmup_runs=3, min_runs=5, seconds=0.0)
    latency = measure_latency(b"", SIGNATURE, settings, provisional=True)
    # The end and a first look at the clock take two ticks; run k then lasts from tick 2k to 2k + 1: 2**2k ms.
    assert latency.runs == 5
    assert latency.median_ms == 2**6
    assert (latency.low_ms, latency.high_ms) == (2**2, 2**10)
    assert len(session.feeds) == 3 + 5


def test_it_goes_on_for_the_time_asked_and_for_the_runs_asked(session):
    long = measure_latency(b"", SIGNATURE, LatencySettings(warmup_runs=0, min_runs=1, seconds=0.02), provisional=False)
    assert long.runs > 50
    assert measure_latency(b"", SIGNATURE, QUICK, provisional=False).runs == 30


def test_garbage_is_not_collected_while_timing_and_is_after(session):
    measure_latency(b"", SIGNATURE, QUICK, provisional=False)
    assert session.collecting == [True] * 2 + [False] * 30
    assert gc.isenabled()


def test_garbage_collection_comes_back_after_a_crash(session, monkeypatch):
    def crash(names, feeds):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(session, "run", crash)
    with pytest.raises(RuntimeError, match="out of memory"):
        measure_latency(b"", SIGNATURE, LatencySettings(warmup_runs=0), provisional=False)
    assert gc.isenabled()


def test_inputs_have_the_batch_and_type_of_the_signature(session):
    inputs = (
        TensorSpec(name="image", shape=(1, 4, 4), dtype="uint8"),
        TensorSpec(name="row", shape=(3,)),
        TensorSpec(name="ids", shape=(None,), dtype="int64"),
    )
    signature = ModelSignature(inputs=inputs, outputs=SIGNATURE.outputs, vocabulary_size=7)
    settings = LatencySettings(batch_size=5, warmup_runs=0, min_runs=1, seconds=0.0)
    measure_latency(b"", signature, settings, provisional=False)
    feeds = session.feeds[0]
    assert {name: (values.shape, values.dtype.name) for name, values in feeds.items()} == {
        "image": ((5, 1, 4, 4), "uint8"),
        "row": ((5, 3), "float32"),
        "ids": ((5, VARYING_SIZE), "int64"),
    }
    assert feeds["image"].max() > 128
    assert set(np.unique(feeds["ids"])) == set(range(7))


def test_a_real_graph_is_measured_with_its_interval_device_and_standing():
    latency = measure_latency(identity(), SIGNATURE, QUICK, provisional=True)
    assert 0 < latency.low_ms <= latency.median_ms <= latency.high_ms < 100
    assert latency.provisional
    assert latency.device == device_name(QUICK)


def test_an_unknown_provider_is_refused():
    with pytest.raises(ValueError, match="unknown provider 'npu'"):
        measure_latency(identity(), SIGNATURE, LatencySettings(provider="npu"), provisional=False)


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
