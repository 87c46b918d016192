"""The precisions in which a student can ship."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from trials.slimming import slim
from trials.tables import has_tables, quantize_tables

Calibration = Mapping[str, NDArray[np.generic]]
"""Raw inputs of some samples by name of the graph's input, each (N, ...)."""

QUANTIZED = ("Conv", "Gemm", "MatMul")
"""Operations that hold weights worth quantising; a graph without any has no int8 version."""

KEPT_FLOAT = ("BatchNormalization", "InstanceNormalization", "LayerNormalization")
"""Operations that stay as they are: their few weights save nothing, and their answers lose most by rounding."""

_KNOWN = set(QLinearOpsRegistry) | set(QDQRegistry)
"""Operations that ONNX Runtime can quantise."""

_CALIBRATION_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Precision:
    """One way to ship a graph.

    Args:
        file_name: Name of the graph in an exported folder.
        convert: From the float32 graph and calibration inputs to the graph that ships.
    """

    file_name: str
    convert: Callable[[bytes, Calibration], bytes]


def keep_float32(onnx_bytes: bytes, calibration: Calibration) -> bytes:
    """Ship the graph as it is."""
    del calibration
    return onnx_bytes


def quantize_int8(onnx_bytes: bytes, calibration: Calibration) -> bytes:
    """Quantise weights and activations to 8 bits, with ranges fixed in advance (static, QDQ).

    Raw inputs and their normalisation stay as they are. Weights have one scale a channel and use 7 of their 8 bits:
    processors without VNNI add pairs of products in 16 bits, where full 8 bits overflow without a word. On a trained
    convnet that cost up to 6 points of accuracy there and nothing elsewhere; with 7 bits all processors agree.

    Of a graph with attention or tables, only operations that hold weights are quantised, and tables row by row: a
    softmax, and a mask of huge numbers, do not bear 8 bits. On a trained encoder of two layers 11 % of the answers
    changed with all operations quantised and 0.7 % so, and it was 1.4 times as fast.

    Args:
        onnx_bytes: A float32 graph in one file.
        calibration: Training inputs, some hundreds; ranges of activations are their smallest and largest values.

    Returns:
        The int8 graph, in one file.

    Raises:
        ValueError: The graph has nothing to quantise, or there are no calibration inputs.
    """
    model = onnx.load_from_string(onnx_bytes)
    found = {node.op_type for node in model.graph.node}
    if not found & set(QUANTIZED):
        raise ValueError(
            f"nothing to quantise: the graph has {', '.join(sorted(found))} and none of {', '.join(QUANTIZED)}; "
            "ship float32"
        )
    if not calibration or not all(len(values) for values in calibration.values()):
        raise ValueError("int8 needs inputs to calibrate with, got none; give some training rows")
    chosen: dict[str, list[str]] = {"op_types_to_quantize": sorted(_KNOWN - set(KEPT_FLOAT))}
    if "Softmax" in found or has_tables(model.graph):
        quantize_tables(model.graph)
        chosen = {"op_types_to_quantize": list(QUANTIZED), "nodes_to_exclude": _without_weights(model.graph)}
    add_pre_process_metadata(model)  # Else the quantiser asks on the root logger for what the exporter has done.
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        path = Path(folder) / "model.onnx"
        quantization.quantize_static(
            model,
            path,
            _Reader(calibration),
            quant_format=quantization.QuantFormat.QDQ,
            **chosen,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        quantized = onnx.load(path)
    return bytes(slim(quantized).SerializeToString(deterministic=True))


def _without_weights(graph: onnx.GraphProto) -> list[str]:
    """Name the operations that multiply two results with each other, as attention does; all nodes get a name."""
    weights = {initializer.name for initializer in graph.initializer}
    names = []
    for position, node in enumerate(graph.node):
        node.name = f"node{position}"
        if node.op_type in QUANTIZED and not weights & set(node.input[:2]):
            names.append(node.name)
    return names


PRECISIONS: dict[str, Precision] = {
    "float32": Precision(file_name="model.onnx", convert=keep_float32),
    "int8": Precision(file_name="model.int8.onnx", convert=quantize_int8),
}
"""Precision by name in the config."""


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    """Hand out calibration inputs batch by batch."""

    def __init__(self, calibration: Calibration) -> None:
        self._batches = self._split(calibration)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        return next(self._batches, None)

    @staticmethod
    def _split(calibration: Calibration) -> Iterator[dict[str, NDArray[np.generic]]]:
        num_rows = min(len(values) for values in calibration.values())
        for start in range(0, num_rows, _CALIBRATION_BATCH):
            yield {name: values[start : start + _CALIBRATION_BATCH] for name, values in calibration.items()}
