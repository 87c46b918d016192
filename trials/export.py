"""From a trained module to the ONNX graph that ships, in one file.

Tracing a module takes more than a second, filling a traced graph with other weights a few hundredths. So a worker
traces an architecture once (``trace``, kept by ``trials.templates``), and each trained student only fills the template.
"""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxscript import ir, optimizer
from torch import Tensor, nn

from search_spaces import ModelSignature, TensorSpec
from teachers import Inputs
from trials.sessions import nothing_before, open_session
from trials.slimming import slim
from trials.tasks import Predictor
from trials.tokenization import PADDING

_EXAMPLE_BATCH = 2
_EXAMPLE_SIZE = 8
_WEIGHT_KINDS = ("PARAMETER", "BUFFER")
_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """A traced graph before any optimisation, in which every weight still stands under its name in the module.

    Args:
        graph: The ONNX graph, with the weights that the module had when it was traced.
        weights: Names of parameters and buffers that the graph reads.
    """

    graph: bytes
    weights: tuple[str, ...]


def trace(module: nn.Module, signature: ModelSignature) -> Template:
    """Trace a module once, so that any weights of its architecture can be filled in.

    Args:
        module: Takes the signature's inputs and returns its outputs; it is copied, and stays as it is.
        signature: Names of inputs and outputs. The batch is free, and so are sizes that are None; sizes that are None
            at one position are the same size in all inputs.
    """
    module = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    examples = tuple(_example(tensor) for tensor in signature.inputs)
    with _quiet():
        program = torch.onnx.export(
            module,
            examples,
            dynamo=True,
            dynamic_shapes=_free_sizes(signature, examples).dynamic_shapes(module, examples),  # type: ignore[no-untyped-call] # torch has not annotated it
            input_names=[tensor.name for tensor in signature.inputs],
            output_names=[tensor.name for tensor in signature.outputs],
            optimize=False,  # It would merge weights with each other; ``_finish`` does it, after they are filled in.
            verbose=False,
        )
    assert program is not None
    # A buffer at the top of a module may have the name of an operation's result, as ``mean`` has.
    ir.passes.common.NameFixPass()(program.model)
    known = _tensors(module)
    read = {name: value.metadata_props.get(_KIND) for name, value in program.model.graph.initializers.items()}
    lost = sorted(name for name, kind in read.items() if kind in _WEIGHT_KINDS and name not in known)
    assert not lost, f"the exporter renamed {lost}, so that they cannot be filled in"
    weights = tuple(name for name in read if name in known)
    return Template(graph=program.model_proto.SerializeToString(), weights=weights)


def replace_weights(template: Template, module: nn.Module) -> bytes:
    """Fill a template with a module's weights, optimise it and take off all that is not needed to run it.

    Args:
        template: Traced from a module of the same architecture.
        module: Gives its parameters and buffers.

    Returns:
        The graph that ships.

    Raises:
        ValueError: The module is of another architecture.
    """
    known = _tensors(module)
    model = onnx.load_from_string(template.graph)
    weights = set(template.weights)
    for initializer in model.graph.initializer:
        if initializer.name not in weights:
            continue
        shape = tuple(known[initializer.name].shape) if initializer.name in known else None
        if shape != tuple(initializer.dims):
            raise ValueError(
                f"the graph was traced from another architecture: {initializer.name!r} has shape "
                f"{tuple(initializer.dims)} there and {shape} in the module; trace the module itself"
            )
        _fill(initializer, known[initializer.name].detach().cpu().numpy())
    return _finish(model)


def stand_in(template: Template) -> bytes:
    """Make a graph that costs to the byte what a trained student of this architecture costs, before it is trained.

    An untrained module is smaller than a trained one: its biases are all zero, and the optimiser drops such biases and
    merges equal weights. Here every weight is moved a little, each by another amount.

    Args:
        template: Traced from an untrained module.
    """
    model = onnx.load_from_string(template.graph)
    chance = np.random.default_rng(0)
    weights = set(template.weights)
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if initializer.name in weights and values.dtype.kind == "f":
            _fill(initializer, values + chance.uniform(0.01, 0.02, values.shape).astype(values.dtype))
    return _finish(model)


def export_onnx(module: nn.Module, signature: ModelSignature) -> bytes:
    """Trace a module and give the graph that ships with its weights, in one go."""
    return replace_weights(trace(module, signature), module)


def onnx_predictor(onnx_bytes: bytes, *, threads: int = 1, provider: str = "cpu") -> Predictor:
    """Make a predictor of a graph with one input, or one that goes on from tokens before, of which there are none here.

    It gives the graph's first output.
    """
    session = open_session(onnx_bytes, threads=threads, provider=provider)
    (first, *past) = session.get_inputs()
    (output, *_) = session.get_outputs()

    def predict(inputs: Inputs) -> NDArray[np.float32]:
        assert isinstance(inputs, Tensor), "a graph takes numbers; texts must be turned into token ids first"
        feeds = {first.name: inputs.numpy(), **nothing_before(past, len(inputs))}
        outputs: list[NDArray[np.float32]] = session.run([output.name], feeds)
        return outputs[0]

    return predict


def parity(module: nn.Module, predictor: Predictor, inputs: Tensor) -> float:
    """Measure by how much an exported graph differs from its module.

    Args:
        module: Run as it would be in use, in evaluation mode; it is copied, and stays as it is.
        predictor: Of the graph.
        inputs: Raw inputs of some samples (B, ...).

    Returns:
        Largest absolute difference of the first output, ``meant``; NaN where either gives NaN.
    """
    with torch.no_grad():
        outputs = copy.deepcopy(module).cpu().eval()(inputs)
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    return float(np.abs(meant(first.numpy(), inputs) - meant(predictor(inputs), inputs)).max())


def meant(answers: NDArray[np.float32], inputs: Tensor) -> NDArray[np.float32]:
    """Give the answers that mean something: of one a token (B, T, V), none at padding, where each graph says its own.

    Args:
        answers: Of a student.
        inputs: What it was asked about, (B, T) where they are token ids.
    """
    if inputs.dtype != torch.int64 or inputs.ndim != 2 or answers.shape[:-1] != tuple(inputs.shape):
        return answers
    told: NDArray[np.float32] = answers[inputs.numpy() != PADDING]
    return told


def _finish(model: onnx.ModelProto) -> bytes:
    return bytes(slim(optimizer.optimize(model)).SerializeToString(deterministic=True))


def _fill(initializer: onnx.TensorProto, values: NDArray[np.generic]) -> None:
    initializer.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), initializer.name))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers, those too that the state leaves out, each under all its names."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    return parameters | dict(module.named_buffers(remove_duplicate=False))


def _varying(tensor: TensorSpec) -> list[int]:
    """Axes, counted with the batch, whose size is free."""
    return [axis for axis, size in enumerate(tensor.shape, start=1) if size is None]


def _free_sizes(signature: ModelSignature, examples: tuple[Tensor, ...]) -> torch.export.ShapesCollection:
    sizes = {axis for tensor in signature.inputs for axis in _varying(tensor)}
    dims = {0: torch.export.Dim("batch")} | {axis: torch.export.Dim(f"size{axis}") for axis in sizes}
    collection = torch.export.ShapesCollection()  # type: ignore[no-untyped-call] # torch has not annotated it
    for tensor, example in zip(signature.inputs, examples, strict=True):
        collection[example] = {axis: dims[axis] for axis in (0, *_varying(tensor))}
    return collection


def _example(tensor: TensorSpec) -> Tensor:
    shape = (_EXAMPLE_BATCH, *(_EXAMPLE_SIZE if size is None else size for size in tensor.shape))
    return torch.zeros(shape, dtype=getattr(torch, tensor.dtype))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says on every call about things that a student does not use."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")

    def wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("torchvision is not installed")

    logger.addFilter(wanted)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)", category=FutureWarning)
            warnings.filterwarnings("ignore", message=r"# The axis name: .* will not be used", category=UserWarning)
            yield
    finally:
        logger.removeFilter(wanted)
