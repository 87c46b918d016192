"""A teacher from an ONNX file, run by ONNX Runtime.

Shape letters: B = batch.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.digests import files_digest, record_digest
from teachers.loading.loaded import (
    LoadedModel,
    as_outputs,
    existing_file,
    in_pieces,
    numbers,
    split_pooled,
    unknown_value,
)
from teachers.outputs import Inputs, Outputs
from teachers.preprocessing import Preprocessing
from teachers.taps import pooled, unaliased

_NUMBER_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
}


class OnnxModel:
    """Runs a graph; its files travel with it, since a session cannot be pickled."""

    copies_held = 3
    """The files, the session, and another session where values within the graph are asked for."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        preprocessing: Preprocessing,
        threads: int,
        output: str | None,
        taps: Mapping[str, str] | None = None,
    ) -> None:
        """Open a session.

        Args:
            files: The graph under the empty name, files of its weights under the names that the graph has for them.
            preprocessing: Goes before it.
            threads: Of one run, at least 1.
            output: Name of the logits in the graph; None takes the first output.
            taps: Names of values in the graph by alias.

        Raises:
            ValueError: The graph cannot be read, or has more than one input beside keys and values of tokens before,
                of which it is given none.
        """
        self._arguments = (files, preprocessing, threads, output, taps)
        self._preprocessing = preprocessing
        self._aliases = dict(taps or {})
        self._session = _open(files, files[""], threads)
        self._wider: dict[tuple[str, ...], Any] = {}  # Sessions whose graphs give inner values too, by their names.
        nodes = self._session.get_inputs()
        self._past = [node for node in nodes[1:] if _may_be_nothing(node)]
        self._input, self._type, self._batch = _only_input([node for node in nodes if node not in self._past])
        names = [node.name for node in self._session.get_outputs()]
        if output is not None and output not in names:
            raise ValueError(f"the ONNX graph has no output {output!r}; it has {', '.join(sorted(names))}")
        self._output = output or names[0]

    def __reduce__(self) -> tuple[type["OnnxModel"], tuple[Any, ...]]:
        """Travel as bytes."""
        return OnnxModel, self._arguments

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch; a graph of a fixed batch size runs in pieces."""
        values = numbers(self._preprocessing(inputs))
        return as_outputs(in_pieces(lambda rows: self._run(rows, tuple(features)), values, piece=self._batch))

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return unaliased(name, self._aliases)

    def _run(self, rows: Tensor, features: tuple[str, ...]) -> Outputs:
        array = rows.numpy().astype(self._type, copy=False)
        session: Any = self._session
        places: Mapping[str, tuple[str, bool]] = {}
        if features:
            session, places = self._with_values(features)
        inner = sorted({value for value, _ in places.values()} - {"inputs"})
        past = {node.name: _nothing(node, len(array)) for node in self._past}
        answers = session.run([self._output, *inner], {self._input: array, **past})
        logits, *values = (torch.from_numpy(np.array(answer, dtype=np.float32)) for answer in answers)
        found = {**dict(zip(inner, values, strict=True)), "inputs": rows}
        return Outputs(
            logits=logits,
            features={name: pooled(found[value]) if pool else found[value] for name, (value, pool) in places.items()},
        )

    def _with_values(self, features: tuple[str, ...]) -> tuple[Any, Mapping[str, tuple[str, bool]]]:
        """Open the graph again with some of its values as outputs, once for each set of names."""
        if features not in self._wider:
            import onnx

            files = self._arguments[0]
            model = onnx.load_model_from_string(files[""])
            known = {name for node in model.graph.node for name in node.output if name}
            places = {name: split_pooled(self.feature_id(name), known) for name in features}
            for name, (value, _) in places.items():
                if value not in known and value != "inputs":
                    hint = "stages and attentions are known of modules alone: give the teacher as factory and weights"
                    raise ValueError(unknown_value(name, known, hint))
            outputs = {node.name for node in model.graph.output}
            new = sorted({value for value, _ in places.values()} - outputs - {"inputs"})
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in new)
            self._wider[features] = _open(files, model.SerializeToString(), self._arguments[2]), places
        session, places = self._wider[features]
        return session, places


def _open(files: Mapping[str, bytes], graph: bytes, threads: int) -> Any:  # it has no types
    """Open a session.

    Args:
        files: Of the weights that are not in the graph, by name; the empty name is not read.
        graph: To be run.
        threads: Of one run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    weights = {name: content for name, content in files.items() if name}
    if weights:
        sizes = [len(content) for content in weights.values()]
        options.add_external_initializers_from_files_in_memory(list(weights), list(weights.values()), sizes)
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen classes of errors and no base class of its own.
        raise ValueError(f"ONNX Runtime cannot read the graph: {error}") from error


def load_onnx(
    *,
    path: str | Path,
    preprocessing: Preprocessing | None = None,
    threads: int = 1,
    output: str | None = None,
    taps: Mapping[str, str] | None = None,
) -> LoadedModel:
    """Load an ONNX file, with the files that hold its weights if there are any.

    Args:
        path: The graph; files of weights stand in the same folder.
        preprocessing: Goes before the graph; None hands it the inputs as they are.
        threads: Of one run, at least 1.
        output: Name of the logits in the graph; None takes the first output.
        taps: Names of values in the graph by alias.

    Raises:
        ValueError: A file is missing or cannot be used.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    preprocessing = preprocessing or Preprocessing()
    path = existing_file(path, "ONNX file of a teacher")
    files = {"": path.read_bytes()}
    for name in _weight_files(path):
        files[name] = existing_file(path.parent / name, f"weights of {path}").read_bytes()
    digest = record_digest(["onnx", files_digest(files), preprocessing.digest, output])
    return LoadedModel(model=OnnxModel(files, preprocessing, threads, output, taps), digest=digest)


def _weight_files(path: Path) -> list[str]:
    import onnx
    from onnx.external_data_helper import uses_external_data

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf has its own class of errors, and onnx does not export it.
        raise ValueError(f"{path} is not a whole ONNX file: {error}") from error
    names = {
        entry.value
        for tensor in model.graph.initializer
        if uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    folder = path.parent.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(folder):
            raise ValueError(f"{path} wants weights from {name!r}, outside its folder; put them beside it")
    return sorted(names)


class _GraphInput(Protocol):
    """What ONNX Runtime tells about an input."""

    name: str
    type: str
    shape: list[int | str | None]


def _may_be_nothing(node: _GraphInput) -> bool:
    """Tell whether an input is of keys or values of the tokens before (B, heads, tokens, size), as decoders take."""
    is_past = node.name.startswith("past") and node.type in _NUMBER_TYPES and len(node.shape) == 4
    return is_past and not isinstance(node.shape[2], int)


def _nothing(node: _GraphInput, rows: int) -> NDArray[np.generic]:
    """Give keys or values of no tokens."""
    heads, size = (edge if isinstance(edge, int) else 0 for edge in (node.shape[1], node.shape[3]))
    return np.zeros((rows, heads, 0, size), dtype=_NUMBER_TYPES[node.type])


def _only_input(nodes: list[_GraphInput]) -> tuple[str, type[np.generic], int | None]:
    if len(nodes) != 1:
        taken = ", ".join(node.name for node in nodes)
        raise ValueError(f"an ONNX teacher must take one input, this graph takes {taken}")
    (node,) = nodes
    if node.type not in _NUMBER_TYPES:
        raise ValueError(f"the ONNX graph takes {node.type}, expected one of {', '.join(sorted(_NUMBER_TYPES))}")
    batch = node.shape[0] if node.shape else None
    return node.name, _NUMBER_TYPES[node.type], batch if isinstance(batch, int) else None
