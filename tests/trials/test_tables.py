"""Tables in 8 bits: each row keeps its own scale."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from trials.tables import has_tables, quantize_tables

TABLE = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * np.geomspace(1e-3, 10, 50)[:, None]
TABLE = np.vstack([np.zeros((1, 6)), TABLE]).astype(np.float32)


def look_up(*, also_read: bool = False) -> onnx.ModelProto:
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"])]
    outputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, (None, None, 6))]
    if also_read:
        nodes.append(helper.make_node("Transpose", ["table"], ["whole"]))
        outputs.append(helper.make_tensor_value_info("whole", TensorProto.FLOAT, (6, 51)))
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, (None, None))]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [numpy_helper.from_array(TABLE, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: onnx.ModelProto, ids: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": ids})


def test_each_row_is_as_near_as_its_own_largest_value_allows() -> None:
    model = look_up()
    assert has_tables(model.graph)
    quantize_tables(model.graph)
    onnx.checker.check_model(model)
    (rows,) = run(model, np.arange(51)[None])
    step = np.abs(TABLE).max(axis=1, keepdims=True) / 127
    assert (np.abs(rows[0] - TABLE) <= step / 2 + 1e-6 * np.abs(TABLE)).all()
    assert (rows[0, 0] == 0).all()
    assert model.ByteSize() < 1.1 * (51 * (6 + 4)) + 500


@pytest.mark.parametrize("also_read", [False, True])
def test_a_table_goes_unless_something_else_reads_it(also_read: bool) -> None:
    model = look_up(also_read=also_read)
    quantize_tables(model.graph)
    assert ("table" in {initializer.name for initializer in model.graph.initializer}) == also_read
    if also_read:
        np.testing.assert_array_equal(run(model, np.zeros((1, 1), np.int64))[1], TABLE.T)
