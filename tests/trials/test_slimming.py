import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from trials.slimming import slim


def make_model(zero_point: int = 0) -> onnx.ModelProto:
    """x * dequantised weight + 1, with documentation, long names and a tensor that nobody reads."""
    nodes = [
        helper.make_node("DequantizeLinear", ["weight", "scale", "zero"], ["float_weight"], name="node_1"),
        helper.make_node("Mul", ["x", "float_weight"], ["product"], name="node_2", doc_string="from a.py"),
        helper.make_node("Add", ["product", "one"], ["y"], name="node_3"),
    ]
    constants = {
        "weight": np.array([3, -4], dtype=np.int8),
        "scale": np.array(0.5, dtype=np.float32),
        "zero": np.array(zero_point, dtype=np.int8),
        "one": np.array([1.0], dtype=np.float32),
        "unread": np.zeros(100, dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
        doc_string="long " * 50,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"trace": "File a.py"})
    return model


def run(model: onnx.ModelProto, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": values})[0]


@pytest.mark.parametrize("zero_point", [0, 2])
def test_numbers_stay_the_same_to_the_last_bit(zero_point):
    values = np.array([[1.0, 2.0], [-3.0, 0.25]], dtype=np.float32)
    expected = run(make_model(zero_point), values)
    assert expected[0].tolist() == [1.0 * (3 - zero_point) / 2 + 1, 2.0 * (-4 - zero_point) / 2 + 1]
    np.testing.assert_array_equal(run(slim(make_model(zero_point)), values), expected)


def test_what_no_runtime_needs_is_gone_and_the_edges_keep_their_names():
    model = slim(make_model())
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    for word in (b"unread", b"long", b"a.py", b"node_1", b"product", b"float_weight"):
        assert word not in data
    assert ([tensor.name for tensor in model.graph.input], [tensor.name for tensor in model.graph.output]) == (
        ["x"],
        ["y"],
    )


def test_zero_points_go_only_where_they_are_zero():
    assert [len(slim(make_model(point)).graph.node[0].input) for point in (0, 2)] == [2, 3]


def test_size_does_not_depend_on_values():
    def size(values: np.ndarray) -> int:
        model = make_model()
        packed = helper.make_tensor("one", TensorProto.INT32, [2], values)  # As variable-length integers.
        model.graph.initializer[3].CopyFrom(packed)
        return len(slim(model).SerializeToString())

    assert size(np.array([0, 1])) == size(np.array([-1, 2**30]))


def test_short_names_never_meet_the_names_of_inputs_and_outputs():
    model = make_model()
    model.graph.input[0].name = model.graph.node[1].input[0] = "0"
    model.graph.output[0].name = model.graph.node[2].output[0] = "2"
    onnx.checker.check_model(slim(model), full_check=True)
    names = [*(tensor.name for tensor in model.graph.initializer), "0", "2"]
    assert len(set(names)) == len(names)


def test_graphs_with_branches_keep_their_names():
    branch = helper.make_graph(
        [helper.make_node("Identity", ["one"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])],
    )
    model = make_model()
    flag = numpy_helper.from_array(np.array(True), "flag")
    model.graph.initializer.append(flag)
    chosen = helper.make_node("If", ["flag"], ["chosen"], then_branch=branch, else_branch=branch)
    model.graph.node.insert(2, chosen)
    model.graph.node[3].input[1] = "chosen"
    values = np.ones((1, 2), dtype=np.float32)
    np.testing.assert_array_equal(run(slim(model), values), run(make_model(), values))
