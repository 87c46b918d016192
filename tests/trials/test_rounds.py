import gc
import os
from itertools import count

import numpy as np
import pytest
from onnx import TensorProto, helper

from trials import rounds
from trials.rounds import MeasuringProcessError, Timed, Turn, time_graph, time_in_own_process, write_round_files

TURN = Turn(threads=1, provider="cpu", warmup_runs=2, min_runs=5, seconds=0.0)
FEEDS = {"row": np.ones((1, 3), dtype=np.float32)}


def adding(number: float) -> bytes:
    """Make a graph that adds a number to its row, so that graphs differ."""
    row, sums = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", 3)) for name in ("row", "sums"))
    constant = helper.make_tensor("number", TensorProto.FLOAT, (1,), [number])
    graph = helper.make_graph(
        [helper.make_node("Add", ["row", "number"], ["sums"])], "graph", [row], [sums], initializer=[constant]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


class FakeSession:
    def __init__(self) -> None:
        self.feeds = []
        self.collecting = []

    def run(self, names, feeds):
        assert names is None
        self.feeds.append(feeds)
        self.collecting.append(gc.isenabled())


@pytest.fixture
def session(monkeypatch):
    fake = FakeSession()
    monkeypatch.setattr(rounds, "open_session", lambda *_, **__: fake)
    return fake


def test_a_round_gives_the_median_of_the_runs_on_the_clock(session, monkeypatch):
    # A clock that stands at 1, 2, 4, 8 ms and so on, so that every run takes longer than the one before.
    ticks = count()
    monkeypatch.setattr(rounds.time, "perf_counter_ns", lambda: 2 ** min(next(ticks), 60) * 1_000_000)
    # The end and a first look at the clock take two ticks; run k then lasts from tick 2k to 2k + 1: 2**2k ms.
    assert time_graph(b"", FEEDS, TURN) == Timed(median_ms=2.0**6, runs=5)
    assert session.feeds == [FEEDS] * (2 + 5)


def test_it_goes_on_for_the_time_asked_and_for_the_runs_asked(session):
    long = Turn(threads=1, provider="cpu", warmup_runs=0, min_runs=1, seconds=0.02)
    assert time_graph(b"", FEEDS, long).runs > 50
    assert time_graph(b"", FEEDS, TURN).runs == 5


def test_garbage_is_not_collected_while_timing_and_is_after(session):
    time_graph(b"", FEEDS, TURN)
    assert session.collecting == [True] * 2 + [False] * 5
    assert gc.isenabled()


def test_garbage_collection_comes_back_after_a_crash(session, monkeypatch):
    def crash(names, feeds):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(session, "run", crash)
    with pytest.raises(RuntimeError, match="out of memory"):
        time_graph(b"", FEEDS, Turn(threads=1, provider="cpu", warmup_runs=0, min_runs=1, seconds=0.0))
    assert gc.isenabled()


def test_a_process_of_its_own_times_the_graphs_that_it_is_told(tmp_path):
    write_round_files(tmp_path, [adding(1), adding(2), adding(3)], [FEEDS] * 3)
    timed = time_in_own_process(tmp_path, [2, 0], TURN)
    assert list(timed) == [2, 0]
    assert all(each.runs == 5 and 0 < each.median_ms < 100 for each in timed.values())


def test_the_process_is_another_one_that_finds_the_same_modules_and_loads_no_torch(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "found_here_alone.py").write_text("")
    probe = "; import found_here_alone, os; sys.exit(str(os.getpid()) + ' ' + str('torch' in sys.modules))"
    monkeypatch.setattr(rounds, "_BOOT", rounds._BOOT + probe)
    write_round_files(tmp_path, [adding(1)], [FEEDS])
    with pytest.raises(MeasuringProcessError, match=r"ended with 1 before it had answered: \d+ False$") as caught:
        time_in_own_process(tmp_path, [0], TURN)
    assert str(os.getpid()) not in str(caught.value)


def test_a_process_that_crashes_says_why(tmp_path):
    write_round_files(tmp_path, [b"no graph"], [FEEDS])
    with pytest.raises(MeasuringProcessError, match=r"ended with 1 before it had answered: .*(InvalidProtobuf|onnx)"):
        time_in_own_process(tmp_path, [0], TURN)


def test_a_process_that_is_killed_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "_BOOT", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(MeasuringProcessError, match=r"ended with -9 .* perhaps it was killed for want of memory"):
        time_in_own_process(tmp_path, [], TURN)
