"""Students of earlier searches, and teachers trained before this one, as teachers: their graph and their module."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from automl.config.teachers import RunTeacher, TrainTeacher
from automl.teaching.named_columns import PickColumns, columns_by_name, with_columns
from automl.teaching.texts_as_ids import ids_of, reading_of, with_reading
from search_spaces import SPACES, ModelSignature, SearchSpace, StudentSpec
from search_spaces.imports import import_object
from teachers import LOADERS, Inputs, LoadedModel, Outputs, TeacherModel
from teachers.digests import RawRows
from trials.compress import PRECISIONS
from trials.description import load_student, parse_spec, read_description
from trials.reading import Reading
from trials.student import Student
from trials.tokenization import Tokenizer

Build = Callable[[StudentSpec, ModelSignature], nn.Module]

_EXAMPLE_ROWS = 8
_TOLERANCE = 1e-3


class StudentModel:
    """Answers by the graph, and by the module where features are asked for; both hold the student's preprocessing.

    The graph alone is faster: 256 rows take it, on one thread of the test machine, 0.25 ms for a perceptron of 11,549
    parameters, 1.2 ms for a convnet of 3,190 on 8×8 pixels and 7.6 ms for one of 41,014 on 28×28; the module takes
    0.46, 1.7 and 27 ms.
    """

    preprocessing = None
    copies_held = 2
    """Of the graph's file, the file and its session; the module travels beside it, and is held once."""

    def __init__(self, graph: TeacherModel, tapped: TeacherModel, module: nn.Module) -> None:
        """Take both.

        Args:
            graph: Gives logits.
            tapped: Gives logits and features.
            module: Within ``tapped``, from raw inputs to logits.
        """
        self.module = module
        self._graph = graph
        self._tapped = tapped

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch."""
        return self._tapped(inputs, features) if features else self._graph(inputs)

    def feature_id(self, name: str) -> str:
        """Replace an alias by what it stands for."""
        resolved: str = self._tapped.feature_id(name)  # type: ignore[attr-defined] # of every model that is loaded
        return resolved


def load_student_teacher(
    folder: Path,
    teacher: TrainTeacher | RunTeacher,
    rows: RawRows,
    *,
    feature_names: Sequence[str] | None = None,
    of_tokens: Tokenizer | None = None,
) -> LoadedModel:
    """Load a folder with an exported student.

    Args:
        folder: Holds its description, graph and weights.
        teacher: As the config names it.
        rows: Raw inputs of the data; on a few of them, the rebuilt module must say what the graph says.
        feature_names: Of the values of a row, by which the student's own are found; None where the data has none.
        of_tokens: Tokenizer of the data, where its rows are token ids of a language model.

    Returns:
        The student with its module where its space is known and still builds the same; else its graph alone.

    Raises:
        ValueError: The data lacks a feature that the student takes, or has texts where it takes numbers, or numbers
            where it takes texts.
    """
    reading = reading_of(folder, rows, of_tokens)
    found = _with_module(folder, teacher, rows, columns_by_name(folder, feature_names), reading)
    return found if reading is None else with_reading(found, reading)


def _with_module(
    folder: Path,
    teacher: TrainTeacher | RunTeacher,
    rows: RawRows,
    columns: Sequence[int] | None,
    reading: Reading | None,
) -> LoadedModel:
    """Load the graph, and the module where it says the same; both take numbers."""
    graph = LOADERS["onnx"](path=folder / PRECISIONS["float32"].file_name, taps=teacher.taps)
    if columns is not None:
        graph = with_columns(graph, columns)
    module = _rebuilt(folder, teacher)
    if module is None:
        return graph
    if columns is not None:
        module.register_forward_pre_hook(PickColumns(columns))
    tapped = LOADERS["callable"](model=module, taps=teacher.taps)
    example = _example(rows, reading)
    if not torch.allclose(tapped.model(example).logits, graph.model(example).logits, rtol=_TOLERANCE, atol=_TOLERANCE):
        return graph  # The space has changed since, though the weights still fit.
    return LoadedModel(model=StudentModel(graph.model, tapped.model, module), digest=graph.digest)


def _example(rows: RawRows, reading: Reading | None) -> Tensor:
    if isinstance(rows, list):
        assert reading is not None
        return ids_of(rows[:_EXAMPLE_ROWS], reading)
    return torch.from_numpy(rows[:_EXAMPLE_ROWS].copy())


def untrained_student_teacher(
    graph: Path, student: Student, teacher: TrainTeacher, reading: Reading | None
) -> LoadedModel:
    """Let a student that is not trained stand for the teacher that it becomes: the same outputs at the same price.

    Args:
        graph: File with a graph of it, whose logits need not be those of the student.
        student: Built, from raw inputs to logits.
        teacher: As the config names it.
        reading: How it reads texts; None where it takes numbers.
    """
    loaded = LOADERS["onnx"](path=graph, taps=teacher.taps)
    module = student.eval()
    tapped = LOADERS["callable"](model=module, taps=teacher.taps)
    whole = LoadedModel(model=StudentModel(loaded.model, tapped.model, module), digest=loaded.digest)
    return whole if reading is None else with_reading(whole, reading)


def _rebuilt(folder: Path, teacher: TrainTeacher | RunTeacher) -> nn.Module | None:
    try:
        build = teacher.student.make_space().build if teacher.kind == "train" else _build_of(folder)
        return None if build is None else load_student(folder, build)
    except Exception:  # A space of the user's that has changed can raise anything, and the graph still runs.
        return None


def _build_of(folder: Path) -> Build | None:
    """Find what builds an earlier student: a built-in space, or one that is called by its import name."""
    name = parse_spec(read_description(folder)).space
    if name in SPACES:
        return SPACES[name]().build
    made = cast("Callable[[], object]", import_object(name))() if ":" in name else None
    return made.build if isinstance(made, SearchSpace) else None
