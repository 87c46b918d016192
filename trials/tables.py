"""Tables that a graph looks rows up in, as those of embeddings, in 8 bits.

Shape letters: V = rows of a table, D = values of a row.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

_LARGEST = 127


def has_tables(graph: onnx.GraphProto) -> bool:
    """Tell whether a graph looks rows up in a table."""
    return any(True for _ in _look_ups(graph))


def quantize_tables(graph: onnx.GraphProto) -> None:
    """Keep each row of a table in 8 bits with a scale of its own; only the rows that are looked up are scaled back.

    The table is most of a small student of texts. One scale for all of it, as ONNX Runtime's quantiser takes, rounds
    rare words to nothing beside frequent ones: on a trained encoder that moved logits by 1.3 times as much.

    Args:
        graph: Changed in place. A table that other operations read, too, stays beside its rounded copy.
    """
    tables = dict(_look_ups(graph))
    for name, table in {table.name: table for table in tables.values()}.items():
        values_VD = numpy_helper.to_array(table)
        scale_V1 = np.abs(values_VD).max(axis=1, keepdims=True) / _LARGEST
        scale_V1[scale_V1 == 0] = 1.0
        rounded_VD = np.rint(values_VD / scale_V1).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(rounded_VD, f"{name}:rounded"))
        graph.initializer.append(numpy_helper.from_array(scale_V1.astype(np.float32), f"{name}:scale"))
    nodes = list(graph.node)
    del graph.node[:]
    for position, node in enumerate(nodes):
        if position in tables:
            graph.node.extend(_scaled_back(node, tables[position].name))
        else:
            graph.node.append(node)
    read = {name for node in graph.node for name in node.input}
    kept = [initializer for initializer in graph.initializer if initializer.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _look_ups(graph: onnx.GraphProto) -> Iterator[tuple[int, onnx.TensorProto]]:
    """Give the positions of operations that take whole rows of a table of numbers, each with the table."""
    known = {initializer.name: initializer for initializer in graph.initializer}
    for position, node in enumerate(graph.node):
        table = known.get(node.input[0]) if node.op_type == "Gather" else None
        along = {attribute.name: attribute.i for attribute in node.attribute}.get("axis", 0)
        if table is not None and table.data_type == onnx.TensorProto.FLOAT and len(table.dims) == 2 and along == 0:
            yield position, table


def _scaled_back(node: onnx.NodeProto, table: str) -> Iterator[onnx.NodeProto]:
    rows, (answer,) = node.input[1], node.output
    yield helper.make_node("Gather", [f"{table}:rounded", rows], [f"{answer}:rounded"])
    yield helper.make_node("Gather", [f"{table}:scale", rows], [f"{answer}:scale"])
    yield helper.make_node("Cast", [f"{answer}:rounded"], [f"{answer}:cast"], to=onnx.TensorProto.FLOAT)
    yield helper.make_node("Mul", [f"{answer}:cast", f"{answer}:scale"], [answer])
