"""Run an exported student; needs numpy, ONNX Runtime and Pillow, tokenizers for texts, and never imports torch.

Shape letters: B = batch, T = tokens, C = classes.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from automl.predicting.raw_inputs import InputSpec, far_outside, read_inputs
from automl.predicting.raw_texts import read_texts

_logger = logging.getLogger("automl.predicting.predict")
_BATCH = 256
_OF_IDS = (".npy", ".npz")
"""Files of token ids rather than texts."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a student says about one input.

    Args:
        source: File that the input came from, with ``#`` and its row where the file has several.
        label: Name of the class that is most likely.
        probability: Of that class, from 0 to 1.
        top: The most likely classes with their probabilities, best first.
    """

    source: str
    label: str
    probability: float
    top: tuple[tuple[str, float], ...]


def predict(folder: Path, input_path: Path, *, precision: str | None = None, top_k: int = 3) -> list[Prediction]:
    """Run an exported student on a file, or on all images of a folder.

    Args:
        folder: As ``automl export`` wrote it.
        input_path: ``.npy`` or ``.npz`` with one input or a batch, an image, a folder of images, or a ``.csv`` with
            one row of features an input. Where it has a header and the student knows the names of its features,
            columns are found by name; else they are taken in their order. For a student that reads texts, what
            ``read_texts`` takes, or ``.npy`` with token ids.
        precision: Which graph to run; None means the first one that the description names.
        top_k: Number of classes in ``Prediction.top``.

    Returns:
        One prediction an input, in the order of the file, or of the names in a folder.

    Raises:
        ValueError: The folder holds no exported student or not in this precision, or the input cannot be read or does
            not fit the student.
    """
    description = _read_description(folder)
    session = _open(folder, description, precision)
    class_names, spec = _edges(folder, description)
    sources, rows = _rows(folder, description, input_path, spec)
    predictions: list[Prediction] = []
    for start in range(0, len(sources), _BATCH):
        logits_BC = session.run(None, {spec.name: rows(start, start + _BATCH)})[0]
        for source, probability_C in zip(sources[start : start + _BATCH], _softmax(logits_BC), strict=True):
            order = np.argsort(-probability_C, kind="stable")[:top_k]
            top = tuple((class_names[label], float(probability_C[label])) for label in order)
            predictions.append(Prediction(source=source, label=top[0][0], probability=top[0][1], top=top))
    return predictions


def texts_after(folder: Path, input_path: Path, *, precision: str | None = None) -> str | None:
    """Let an exported language model go on after the texts of a file.

    Args:
        folder: As ``automl export`` wrote it.
        input_path: As ``read_texts`` takes it.
        precision: Which graph to run; None means the first one that the description names.

    Returns:
        Each text with what was written after it; None where the student answers otherwise.

    Raises:
        ValueError: As ``predict``; or it is a language model whose graph does not write.
    """
    description = _read_description(folder)
    if not description.get("past"):
        if description.get("class_names") == [] and "tokenizer" in description:
            raise ValueError(
                f"{folder} holds a language model whose graph gives logits and does not write; those of students of "
                "the space decoder do"
            )
        return None
    from automl.predicting.writing import format_texts, write_after  # Their libraries are needed for texts alone.

    session = _open(folder, description, precision)
    (column,) = description.get("feature_names") or (None,)
    sources, texts = read_texts(input_path, column=column)
    return format_texts(write_after(folder, session, description, dict(zip(sources, texts, strict=True))))


def format_table(predictions: Sequence[Prediction]) -> str:
    """Write predictions as lines of text: source, then the classes with their probabilities."""
    width = max((len(prediction.source) for prediction in predictions), default=0)
    return "\n".join(
        f"{prediction.source:<{width}}  "
        + "  ".join(f"{label} {probability:.1%}" for label, probability in prediction.top)
        for prediction in predictions
    )


def _rows(
    folder: Path, description: Mapping[str, Any], input_path: Path, spec: InputSpec
) -> tuple[list[str], Callable[[int, int], NDArray[np.generic]]]:
    """Name the inputs of a file, and give what hands some of them out, from one position to another."""
    reading = description.get("tokenizer")
    if reading is not None and input_path.suffix.lower() not in _OF_IDS:
        (column,) = description.get("feature_names") or (None,)
        sources, texts = read_texts(input_path, column=column)
        encode = _encoder(folder, reading)
        return sources, lambda start, stop: encode(texts[start:stop])
    sources, inputs = read_inputs(input_path, spec)
    if description["normalisation"] is not None and (note := far_outside(inputs, sources, spec)):
        _logger.warning("%s", note)
    vocabulary_size = description.get("vocabulary_size")
    if reading is not None and vocabulary_size and not 0 <= inputs.min() <= inputs.max() < vocabulary_size:
        raise ValueError(
            f"{input_path} must hold token ids from 0 to {vocabulary_size - 1}, got {inputs.min()} to {inputs.max()}"
        )
    return sources, lambda start, stop: inputs[start:stop]


def _encoder(folder: Path, reading: Mapping[str, Any]) -> Callable[[Sequence[str]], NDArray[np.generic]]:
    """Give what cuts texts into token ids (B, T)."""
    from trials.tokenization import read_tokenizer  # Its library is needed for texts alone.

    try:
        length = int(reading["length"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'student.json'} is incomplete ({error!r}); export the student again") from error
    tokenizer = read_tokenizer(folder)
    return lambda texts: tokenizer.encode(texts, length=length)


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / "student.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no exported student: student.json is missing; make one with automl export")
    try:
        description = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON: {error}; export the student again") from error
    if not isinstance(description, dict) or description.get("format") != "automl-distill student":
        raise ValueError(f"{path} does not describe an exported student; export the student again")
    if description.get("version") != 1:
        raise ValueError(
            f"{path} has version {description.get('version')}, this program reads version 1; export it again"
        )
    return description


def _open(folder: Path, description: Mapping[str, Any], precision: str | None) -> onnxruntime.InferenceSession:
    graphs = description.get("graphs")
    if not isinstance(graphs, dict) or not graphs:
        raise ValueError(f"{folder / 'student.json'} names no graphs; export the student again")
    precision = next(iter(graphs)) if precision is None else precision
    if precision not in graphs:
        raise ValueError(f"the student was not exported in precision {precision!r}; it has {', '.join(sorted(graphs))}")
    name = str(graphs[precision])
    if {"/", "\\", ":", "\0"} & set(name) or name in ("", ".", ".."):
        raise ValueError(f"{folder / 'student.json'} names the graph {name!r}, which is no file of this folder")
    path = folder / name
    if not path.is_file():
        raise ValueError(f"{path} is missing; export the student again")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own, which share no public base
        raise ValueError(f"{path} cannot be opened by ONNX Runtime: {error}; export the student again") from error


def _edges(folder: Path, description: Mapping[str, Any]) -> tuple[list[str], InputSpec]:
    """Read the names of the classes and what the student takes in."""
    try:
        class_names = [str(name) for name in description["class_names"]]
        (record,) = description["inputs"]
        low, high = (description["normalisation"] or {"value_range": (0, 255)})["value_range"]
        spec = InputSpec(
            name=str(record["name"]),
            kind=str(record["kind"]),
            shape=tuple(record["shape"]),
            dtype=str(record["dtype"]),
            value_range=(float(low), float(high)),
            feature_names=_feature_names(description, record),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'student.json'} is incomplete ({error!r}); export the student again") from error
    return class_names, spec


def _feature_names(description: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Give the names of a vector's values; exports made before they were kept have none."""
    names = description.get("feature_names")
    if names is None or "tokenizer" in description:  # The name of a column of texts.
        return None
    if not isinstance(names, list) or len(names) != math.prod(record["shape"]):
        raise ValueError("feature_names does not name each value of an input")
    return tuple(map(str, names))


def _softmax(logits_BC: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted_BC = logits_BC.astype(np.float64) - logits_BC.max(axis=1, keepdims=True)
    exponent_BC = np.exp(shifted_BC)
    return np.asarray(exponent_BC / exponent_BC.sum(axis=1, keepdims=True))
