"""``student.json``: what a folder with an exported student says about itself, written and read back."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import nn

from search_spaces import ModelSignature, StudentSpec, TensorSpec
from trials.compress import PRECISIONS
from trials.recipe import Recipe
from trials.records import student_digest
from trials.student import Normalisation, Student, load_weights
from trials.tokenization import PADDING

DESCRIPTION_FILE = "student.json"
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
FORMAT = "automl-distill student"
FORMAT_VERSION = 1
_KINDS = {1: "vector", 3: "image"}


def describe(
    spec: StudentSpec,
    *,
    signature: ModelSignature,
    class_names: Sequence[str],
    statistics: Normalisation | None,
    recipe: Recipe,
    seed: int,
    precisions: Sequence[str],
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    feature_names: Sequence[str] | None = None,
    length: int | None = None,
    past: Sequence[TensorSpec] = (),
) -> dict[str, object]:
    """Say all that is needed to run a student without this program, and to build it again with it.

    Args:
        spec: The architecture.
        signature: What it takes in and gives out.
        class_names: In the order of the logits.
        statistics: What its preprocessing subtracts and divides by.
        recipe: How it was distilled.
        seed: Of the trial.
        precisions: Which graphs lie beside the description; the first one is run unless another is asked for.
        metrics: What was measured, by precision; what is not a finite number is left out, since JSON has no NaN.
        feature_names: Of the values of a vector, in their order, or of the texts; None where the data named none.
        length: Most tokens of a text, as ``TOKENIZER_FILE`` beside the description cuts it; None where the inputs are
            no texts.
        past: What the graphs take of tokens before, so that they can write; none of students that do not.

    Returns:
        Plain data that JSON can write.

    Raises:
        ValueError: A precision is unknown.
    """
    if unknown := sorted(set(precisions) - set(PRECISIONS)):
        raise ValueError(f"unknown precisions {', '.join(unknown)}; known are {', '.join(sorted(PRECISIONS))}")
    reading = {"file": TOKENIZER_FILE, "length": length, "padding": PADDING}
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "digest": student_digest(spec, recipe, seed),
        "architecture_digest": spec.architecture_digest,
        "inputs": [{"kind": _kind(tensor), **_plain_tensor(tensor)} for tensor in signature.inputs],
        "outputs": [_plain_tensor(tensor) for tensor in signature.outputs],
        "vocabulary_size": signature.vocabulary_size,
        "class_names": list(class_names),
        "feature_names": None if feature_names is None else list(feature_names),
        "graphs": {precision: PRECISIONS[precision].file_name for precision in precisions},
        "weights": WEIGHTS_FILE,
        "normalisation": None
        if statistics is None
        else {name: list(values) for name, values in vars(statistics).items()},
        "spec": {"space": spec.space, "values": dict(spec.values), "constants": dict(spec.constants)},
        "recipe": recipe.plain(),
        "seed": seed,
        "metrics": {precision: _finite(values) for precision, values in (metrics or {}).items()},
        **({} if length is None else {"tokenizer": reading}),
        **({"past": [_plain_tensor(tensor) for tensor in past]} if past else {}),
    }


def description_bytes(description: Mapping[str, object]) -> bytes:
    """Write a description as the file holds it."""
    return (json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_description(folder: Path) -> dict[str, object]:
    """Read the description in a folder.

    Raises:
        ValueError: There is none, or it is not one that this version can read.
    """
    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise ValueError(
            f"{folder} holds no exported student: {DESCRIPTION_FILE} is missing; make one with automl export"
        )
    try:
        description = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON: {error}; export the student again") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ValueError(f"{path} does not describe a student: its format must be {FORMAT!r}; export the student again")
    if description.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} has version {description.get('version')}, this program reads version {FORMAT_VERSION}; "
            "export the student again"
        )
    return description


def parse_spec(description: Mapping[str, object]) -> StudentSpec:
    """Read the architecture back."""
    spec = description["spec"]
    assert isinstance(spec, dict)
    return StudentSpec(space=spec["space"], values=spec["values"], constants=spec.get("constants", {}))


def parse_signature(description: Mapping[str, object]) -> ModelSignature:
    """Read the signature back."""
    inputs, outputs, vocabulary_size = (description[name] for name in ("inputs", "outputs", "vocabulary_size"))
    assert isinstance(inputs, list) and isinstance(outputs, list)
    assert vocabulary_size is None or isinstance(vocabulary_size, int)
    return ModelSignature(
        inputs=tuple(map(_parse_tensor, inputs)),
        outputs=tuple(map(_parse_tensor, outputs)),
        vocabulary_size=vocabulary_size,
    )


def parse_statistics(description: Mapping[str, object]) -> Normalisation | None:
    """Read what the preprocessing subtracts and divides by back."""
    record = description["normalisation"]
    if record is None:
        return None
    assert isinstance(record, dict)
    return Normalisation(**{name: tuple(values) for name, values in record.items()})


def load_student(folder: Path, build: Callable[[StudentSpec, ModelSignature], nn.Module]) -> Student:
    """Build an exported student again and give it its weights.

    Args:
        folder: Where it was exported to.
        build: Of the search space that its spec names.

    Returns:
        The trained student, ready to run.

    Raises:
        ValueError: The folder holds no student, or its weights do not fit.
    """
    description = read_description(folder)
    try:
        spec, signature = parse_spec(description), parse_signature(description)
        statistics = parse_statistics(description)
    except (KeyError, TypeError, AssertionError) as error:
        raise ValueError(f"{folder / DESCRIPTION_FILE} is incomplete ({error!r}); export the student again") from error
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ValueError(f"{folder} has no {WEIGHTS_FILE}; export the student again")
    student = Student(build(spec, signature), signature=signature, statistics=statistics)
    load_weights(student, weights.read_bytes())
    return student.eval()


def _kind(tensor: TensorSpec) -> str:
    return "tokens" if tensor.dtype.startswith("int") else _KINDS.get(len(tensor.shape), "array")


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _plain_tensor(tensor: TensorSpec) -> dict[str, object]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def _parse_tensor(record: Mapping[str, object]) -> TensorSpec:
    shape = record["shape"]
    assert isinstance(shape, list)
    return TensorSpec(name=str(record["name"]), shape=tuple(shape), dtype=str(record["dtype"]))
