"""A teacher from a file that ``torch.export.save`` wrote."""

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.fx import Node

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


class ExportedModel:
    """Runs a program that is read from bytes; they travel with it, since the program itself cannot be pickled."""

    copies_held = 5
    """What PyTorch keeps of a file that it has read: 4.7 times its 37 MB, as measured."""

    def __init__(self, content: bytes, preprocessing: Preprocessing, taps: Mapping[str, str] | None = None) -> None:
        """Read the program.

        Args:
            content: Of a trusted file.
            preprocessing: Goes before it.
            taps: Names of features by alias.

        Raises:
            ValueError: It takes more than one input, or was exported in training mode.
        """
        self._arguments = (content, preprocessing, taps)
        self._preprocessing = preprocessing
        self._aliases = dict(taps or {})
        program = torch.export.load(io.BytesIO(content))
        _refuse_training_mode(program)
        self._batch = _fixed_batch(program)
        module = program.module()
        assert isinstance(module, fx.GraphModule)
        self._module = module
        self._nodes = _nodes_by_name(module.graph)

    def __reduce__(self) -> tuple[type["ExportedModel"], tuple[bytes, Preprocessing, Mapping[str, str] | None]]:
        """Travel as bytes."""
        return ExportedModel, self._arguments

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch; a program of a fixed batch size runs in pieces."""
        values = numbers(self._preprocessing(inputs))
        places = {name: self._place(name) for name in features}
        with torch.no_grad():
            return as_outputs(in_pieces(lambda rows: self._run(rows, places), values, piece=self._batch))

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        return unaliased(name, self._aliases)

    def _place(self, name: str) -> tuple[str, bool]:
        value, pool = split_pooled(self.feature_id(name), self._nodes)
        if value not in self._nodes and value != "inputs":
            hint = (
                "these are paths of modules and names of nodes of the exported graph, which knows no stages and no "
                "attentions: give the teacher as factory and weights for them"
            )
            raise ValueError(unknown_value(name, self._nodes, hint))
        return value, pool

    def _run(self, rows: Tensor, places: Mapping[str, tuple[str, bool]]) -> Outputs:
        if not places:
            return as_outputs(self._module(rows))
        kept = {value: self._nodes[value] for value, _ in places.values() if value != "inputs"}
        interpreter = _Keeping(self._module, frozenset(kept.values()))
        answer = as_outputs(interpreter.run(rows))
        found = {value: interpreter.kept[node] for value, node in kept.items()} | {"inputs": rows}
        return Outputs(
            logits=answer.logits,
            features={name: pooled(found[value]) if pool else found[value] for name, (value, pool) in places.items()},
        )


class _Keeping(fx.Interpreter):
    """Runs a graph node by node, and keeps what some nodes give."""

    def __init__(self, module: fx.GraphModule, nodes: frozenset[Node]) -> None:
        super().__init__(module)
        self._nodes = nodes
        self.kept: dict[Node, Tensor] = {}

    def run_node(self, n: Node) -> object:
        value = super().run_node(n)
        if n in self._nodes:
            assert isinstance(value, Tensor)
            # A node after it may write into it.
            self.kept[n] = value.clone()
        return value


def _nodes_by_name(graph: fx.Graph) -> dict[str, Node]:
    """Give the nodes that compute tensors by name, and for each module the last one of its own that others read."""
    nodes = [node for node in graph.nodes if node.op == "call_function" and isinstance(node.meta.get("val"), Tensor)]
    by_path: dict[str, Node] = {}
    for node in nodes:
        for path in _paths(node):
            if any(path not in _paths(user) for user in node.users):
                by_path[path] = node
    return {node.name: node for node in nodes} | by_path


def _paths(node: Node) -> set[str]:
    """Give the paths of the modules that a node was traced in, but for the whole network."""
    return {path for path, _ in (node.meta.get("nn_module_stack") or {}).values() if path}


def load_exported(
    *,
    path: str | Path,
    preprocessing: Preprocessing | None = None,
    trust: bool = False,
    taps: Mapping[str, str] | None = None,
) -> LoadedModel:
    """Load a ``.pt2`` file.

    ``torch.export.load`` unpickles weights and constants that the archive marks so, and evaluates expressions of
    shapes: a file made with ill intent runs code. Hence ``trust``.

    Args:
        path: The file.
        preprocessing: Goes before the program; None only turns inputs into float32.
        trust: Whether whoever made the file may run code here.
        taps: Names of features by alias.

    Raises:
        ValueError: The file is not trusted, not there, or cannot be used.
    """
    if not trust:
        raise ValueError(
            f"{path} is read by torch.export.load, which can run code from the file; set trust: true for this teacher "
            "if you trust its origin, or give the teacher as ONNX or as factory and safetensors"
        )
    path = existing_file(path, "exported program of a teacher")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a whole file of torch.export.save")
    preprocessing = preprocessing or Preprocessing()
    content = path.read_bytes()
    digest = record_digest(["exported", files_digest({"": content}), preprocessing.digest])
    return LoadedModel(model=ExportedModel(content, preprocessing, taps), digest=digest)


def _fixed_batch(program: ExportedProgram) -> int | None:
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ValueError(
            f"an exported teacher must take one input, this program takes {len(names)}: {', '.join(names)}"
        )
    value = next(node.meta["val"] for node in program.graph.nodes if node.name == names[0])
    batch = value.shape[0]
    return batch if isinstance(batch, int) else None


def _refuse_training_mode(program: ExportedProgram) -> None:
    for node in program.graph.nodes:
        if node.op == "call_function" and _trains(node):
            raise ValueError(
                f"the exported program runs {node.target} in training mode, so that its answers change from call to "
                "call or with the batch; call eval() on the module before torch.export.export"
            )


def _trains(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return False
    for position, argument in enumerate(schema.arguments):
        if argument.name in {"train", "training"}:
            value = node.args[position] if position < len(node.args) else node.kwargs.get(argument.name)
            return value is True
    return False
