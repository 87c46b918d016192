import onnxruntime
import pytest
from onnx import TensorProto, helper

from trials.sessions import open_session, require_provider


@pytest.fixture
def graph():
    row, same = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", 3)) for name in ("row", "same"))
    made = helper.make_graph([helper.make_node("Identity", ["row"], ["same"])], "graph", [row], [same])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def test_unknown_and_missing_providers_are_refused(graph, monkeypatch):
    with pytest.raises(ValueError, match=r"unknown provider 'tpu'; known are cpu, cuda"):
        open_session(graph, threads=1, provider="tpu")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    require_provider("cpu")
    with pytest.raises(ValueError, match="install onnxruntime-gpu"):
        open_session(graph, threads=1, provider="cuda")


def test_threads_reach_the_session(graph):
    session = open_session(graph, threads=2, provider="cpu")
    assert session.get_session_options().intra_op_num_threads == 2
    assert session.get_providers() == ["CPUExecutionProvider"]
