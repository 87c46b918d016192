"""The section ``teachers``: whom students learn from, and what each may speak about."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from automl.config.kinds import kind_of
from automl.config.part import (
    FilePath,
    ImportName,
    Listed,
    Named,
    NaturalInt,
    Options,
    Part,
    PositiveInt,
    PositiveReal,
    Size,
    TextOrWhole,
)
from automl.config.recipe import Recipe
from automl.config.student import FixedStudent


class Covers(Part):
    """What a teacher may vote on: rows by a column, classes by labels. A hidden label keeps nobody out."""

    labels: Listed[TextOrWhole] | None = None
    """Classes that it knows, by name or number; null means all. It does not vote on rows whose label is known to be
    another; on rows without a label it votes, among these classes."""
    column: str | None = None
    """Column of the data that tells which rows it knows; it never votes on others, labelled or not. Null means all."""
    values: Listed[TextOrWhole] = ()
    """Values of that column for which it may speak."""

    @model_validator(mode="after")
    def _covers_something(self) -> Self:
        """Reject a coverage of nothing, and a column without values."""
        if self.labels == ():
            raise ValueError("labels that a teacher covers must be at least one; leave the key out for all")
        if (self.column is None) != (not self.values):
            missing = "values" if self.column is not None else "column"
            raise ValueError(f"a coverage by rows needs both column and values; {missing} is missing")
        return self


class Preprocessing(Part):
    """From raw inputs to what the model takes in: scale, resize, channels, mean and std, flatten, in this order."""

    scale: float = 1.0
    """Every value is multiplied by it first; 0.00392156862745098 turns bytes into 0 to 1."""
    resize: Size | None = None
    """Height and width to bring images to."""
    interpolation: Literal["bicubic", "bilinear", "nearest"] = "bilinear"
    """How to resize."""
    channels: Literal[1, 3] | None = None
    """1 makes grey images of colour ones, 3 repeats grey ones; null leaves them."""
    mean: Listed[float] = ()
    """Subtracted from each channel, one value for all or one a channel."""
    std: Listed[PositiveReal] = ()
    """Divides each channel."""
    flatten: bool = False
    """Whether a sample becomes a vector."""


def _no_path(name: str) -> str:
    if not name or set("/\\\n.") & set(name):
        raise ValueError(f"expected a name without '.', slashes and line breaks, got {name!r}")
    return name


Name = Annotated[str, AfterValidator(_no_path), Field(description="Unique among the teachers.")]
Coverage = Annotated[Covers, Field(description="What it may vote on; everything, if left out.")]
Prepared = Annotated[
    Preprocessing | None,
    Field(description="What it does to raw inputs; null hands them on as its kind does by itself."),
]
Taps = Annotated[
    Named[str],
    Field(
        description="Names of yours for features: each stands for the path of a module (of an onnx teacher, for the "
        "name of a value in its graph), or for stage1, stage2, …, last, attention1.weights and the like."
    ),
]
Trusted = Annotated[
    bool,
    Field(
        description="Reading the file can run code that whoever made it put there; true says that you trust its origin."
    ),
]


class FactoryTeacher(Part):
    """A module that a function of yours builds, with its weights."""

    kind: Literal["factory"]
    """A module that a function of yours builds."""
    name: Name
    covers: Coverage = Covers()
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
    | Annotated[RunTeacher, Tag("=run")]
    | Annotated[TrainTeacher, Tag("=train")],
    Discriminator(kind_of),
]
