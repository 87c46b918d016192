"""Built-in students must become graphs that ONNX Runtime runs well, in float and in int8."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from search_spaces import ModelSignature, SearchSpace, TensorSpec, convnet, mlp
from search_spaces.choices import Value

IN_INT8 = {"Conv", "Gemm", "MatMul", "Relu", "Clip", "Add", "Mul", "Sigmoid", "MaxPool", "AveragePool", "Reshape"}
"""Operations that ONNX Runtime computes in int8; hardswish and layer normalisation are a choice of the search's."""

SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(1, 8, 8)),), outputs=(TensorSpec(name="logits", shape=(10,)),)
)


def every_kind_of_block() -> tuple[SearchSpace, dict[str, Value]]:
    values: dict[str, Value] = {"activation": "relu", "stem.width": 8, "stem.stride": 1, "stages": 3}
    stages = (
        {"stride": 2, "stride_by": "pool", "block": "plain"},
        {"stride": 2, "stride_by": "block", "stride_place": "last", "block": "separable"},
        {"stride": 1, "block": "inverted", "expansion": 2, "se_ratio": 0.25},
    )
    for number, stage in enumerate(stages, start=1):
        common = {"depth": 2, "width": 8, "kernel": 3}
        values |= {f"stage{number}.{name}": value for name, value in (common | stage).items()}
    return convnet(), values


def perceptron() -> tuple[SearchSpace, dict[str, Value]]:
    values = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": True, "dropout": 0.1}
    return mlp(), {**values, "layer1.width": 16}


def trained(model: nn.Module) -> nn.Module:
    """Give batch normalisations statistics that an export must not lose."""
    torch.manual_seed(0)
    model.train()(torch.randn(64, 1, 8, 8) * 2 + 1)
    return model.eval()


# PyTorch's exporter warns about its own use of itself.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("case", [every_kind_of_block, perceptron])
def test_graph_is_int8_throughout_and_takes_any_batch(case: object) -> None:
    assert callable(case)
    space, values = case()
    model = trained(space.build(space.spec(values), SIGNATURE))
    program = torch.onnx.export(
        model, (torch.zeros(2, 1, 8, 8),), dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False
    )
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    assert {node.op_type for node in graph.graph.node} <= IN_INT8
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        inputs = np.random.default_rng(0).normal(size=(batch, 1, 8, 8)).astype(np.float32)
        expected = model(torch.from_numpy(inputs)).detach().numpy()
        (got,) = session.run(None, {session.get_inputs()[0].name: inputs})
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
