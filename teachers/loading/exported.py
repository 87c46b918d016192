"""A teacher from a file that ``torch.export.save`` wrote."""

import io
import zipfile
from collections.abc import Collection
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import Node

from teachers.digests import files_digest, record_digest
from teachers.loading.loaded import LoadedModel, as_outputs, existing_file, in_pieces, numbers
from teachers.outputs import Inputs, Outputs
from teachers.preprocessing import Preprocessing


class ExportedModel:
    """Runs a program that is read from bytes; they travel with it, since the program itself cannot be pickled."""

    def __init__(self, content: bytes, preprocessing: Preprocessing) -> None:
        """Read the program.

        Args:
            content: Of a trusted file.
            preprocessing: Goes before it.

        Raises:
            ValueError: It takes more than one input, or was exported in training mode.
        """
        self._content = content
        self._preprocessing = preprocessing
        program = torch.export.load(io.BytesIO(content))
        _refuse_training_mode(program)
        self._batch = _fixed_batch(program)
        self._module: nn.Module = program.module()

    def __reduce__(self) -> tuple[type["ExportedModel"], tuple[bytes, Preprocessing]]:
        """Travel as bytes."""
        return ExportedModel, (self._content, self._preprocessing)

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch; a program of a fixed batch size runs in pieces."""
        values = numbers(self._preprocessing(inputs))
        with torch.no_grad():
            return as_outputs(in_pieces(lambda rows: as_outputs(self._module(rows)).logits, values, piece=self._batch))


def load_exported(*, path: str | Path, preprocessing: Preprocessing | None = None, trust: bool = False) -> LoadedModel:
    """Load a ``.pt2`` file.

    ``torch.export.load`` unpickles weights and constants that the archive marks so, and evaluates expressions of
    shapes: a file made with ill intent runs code. Hence ``trust``.

    Args:
        path: The file.
        preprocessing: Goes before the program; None only turns inputs into float32.
        trust: Whether whoever made the file may run code here.

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
    return LoadedModel(model=ExportedModel(content, preprocessing), digest=digest)


def _fixed_batch(program: ExportedProgram) -> int | None:
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ValueError(f"an exported teacher must take one input, this program takes {len(names)}: {list(names)}")
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
