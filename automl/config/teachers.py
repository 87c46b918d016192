"""The section ``teachers``: whom students learn from, and what each may speak about."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from automl.config.asked_teachers import CompletionsTeacher, EndpointTeacher
from automl.config.kinds import kind_of
from automl.config.part import FilePath, ImportName, NaturalInt, Options, Part, PositiveInt
from automl.config.recipe import Recipe
from automl.config.student import FixedStudent
from automl.config.teacher_parts import Classes, Coverage, Covers, Name, Prepared, Taps, Trusted
from automl.config.text_teachers import SentenceEncoderTeacher, TransformersTeacher


class FactoryTeacher(Part):
    """A module that a function of yours builds, with its weights."""

    kind: Literal["factory"]
    """A module that a function of yours builds."""
    name: Name
    covers: Coverage = Covers()
    classes: Classes = None
    factory: ImportName
    """package.module:name of a function that returns the module."""
    options: Options = Field(default={})
    """Its keyword arguments."""
    weights: FilePath | None = None
    """A .safetensors file or a state dict; null keeps the weights that the factory gave."""
    preprocessing: Prepared = None
    taps: Taps = Field(default={})


class ExportedTeacher(Part):
    """A file of torch.export."""

    kind: Literal["exported"]
    """A file of torch.export (.pt2)."""
    name: Name
    covers: Coverage = Covers()
    classes: Classes = None
    path: FilePath
    """The file."""
    trust: Trusted = False
    preprocessing: Prepared = None
    taps: Taps = Field(default={})


class OnnxTeacher(Part):
    """An ONNX file."""

    kind: Literal["onnx"]
    """An ONNX file."""
    name: Name
    covers: Coverage = Covers()
    classes: Classes = None
    path: FilePath
    """The graph; files of weights stand in the same folder."""
    output: str | None = None
    """Name of the logits in the graph; null takes the first output."""
    threads: PositiveInt = 1
    """Threads of one run."""
    preprocessing: Prepared = None
    taps: Taps = Field(default={})


class EstimatorTeacher(Part):
    """A fitted scikit-learn classifier."""

    kind: Literal["estimator"]
    """A fitted scikit-learn classifier."""
    name: Name
    covers: Coverage = Covers()
    path: FilePath
    """A .skops, pickle or joblib file."""
    trust: Trusted = False
    preprocessing: Prepared = None


class RunTeacher(Part):
    """A student of an earlier search."""

    kind: Literal["run"]
    """A student of an earlier search."""
    name: Name
    covers: Coverage = Covers()
    path: FilePath
    """The folder of an exported student, or runs/NAME/students/DIGEST."""
    taps: Taps = Field(default={})


class TrainTeacher(Part):
    """A teacher that is trained before the search, as a trial without teachers."""

    kind: Literal["train"]
    """Trained before the search, on the rows that it covers."""
    name: Name
    covers: Coverage = Covers()
    student: FixedStudent
    """Its architecture."""
    recipe: Recipe
    """How it is trained: fixed values, and losses that need no teachers."""
    seed: NaturalInt | None = None
    """Decides its first weights and the order of its rows. null takes the search's seed; of teachers that are trained
    alike, each takes the next number that none of them has."""
    taps: Taps = Field(default={})


Teacher = Annotated[
    Annotated[FactoryTeacher, Tag("=factory")]
    | Annotated[ExportedTeacher, Tag("=exported")]
    | Annotated[OnnxTeacher, Tag("=onnx")]
    | Annotated[EstimatorTeacher, Tag("=estimator")]
    | Annotated[TransformersTeacher, Tag("=transformers")]
    | Annotated[SentenceEncoderTeacher, Tag("=sentence_encoder")]
    | Annotated[EndpointTeacher, Tag("=endpoint")]
    | Annotated[CompletionsTeacher, Tag("=completions")]
    | Annotated[RunTeacher, Tag("=run")]
    | Annotated[TrainTeacher, Tag("=train")],
    Discriminator(kind_of),
]
