"""Take off an ONNX graph all that no runtime needs, so that its size is that of the student."""

from collections.abc import Iterable
from itertools import count

import onnx
from onnx import numpy_helper


def slim(model: onnx.ModelProto) -> onnx.ModelProto:
    """Strip a graph, without changing one number that it computes.

    Documentation, stack traces, intermediate shapes and names of nodes go; tensors inside get short names, since an
    int8 graph of a small student is one fifth names. The names of inputs and outputs stay.

    Args:
        model: Changed in place. Where it has branches or loops, whose graphs name tensors of the outer one, names stay.

    Returns:
        The model.
    """
    _strip(model)
    if not _has_subgraphs(model.graph):
        _drop_zero_points(model.graph)
        _drop_unused(model.graph)
        _shorten_names(model.graph)
    for initializer in model.graph.initializer:
        # Raw bytes: other encodings take more or fewer bytes with the values.
        initializer.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(initializer), initializer.name))
    return model


def _has_subgraphs(graph: onnx.GraphProto) -> bool:
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for node in graph.node for attribute in node.attribute)


def _drop_zero_points(graph: onnx.GraphProto) -> None:
    """Leave out zero points of constants where all are 0, which is what a missing one means."""
    constants = {initializer.name: initializer for initializer in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 3:
            data, zero_point = constants.get(node.input[0]), constants.get(node.input[2])
            if data is not None and zero_point is not None and not numpy_helper.to_array(zero_point).any():
                del node.input[2]


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [initializer for initializer in graph.initializer if initializer.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _strip(model: onnx.ModelProto) -> None:
    graph = model.graph
    del graph.value_info[:]
    del graph.quantization_annotation[:]
    described: Iterable[onnx.ModelProto | onnx.GraphProto | onnx.NodeProto | onnx.ValueInfoProto | onnx.TensorProto]
    described = (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer)
    for item in described:
        item.ClearField("doc_string")
        del item.metadata_props[:]
    for node in graph.node:
        node.ClearField("name")


def _shorten_names(graph: onnx.GraphProto) -> None:
    short: dict[str, str] = {tensor.name: tensor.name for tensor in (*graph.input, *graph.output)} | {"": ""}
    edges = set(short)
    fresh = (name for number in count() if (name := format(number, "x")) not in edges)

    def shorten(name: str) -> str:
        if name not in short:
            short[name] = next(fresh)
        return short[name]

    for initializer in graph.initializer:
        initializer.name = shorten(initializer.name)
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                names[position] = shorten(name)
