"""What the sections of all teachers have in common: their names, what they cover, how they prepare inputs."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from automl.config.part import Listed, Named, Part, PositiveReal, Size, TextOrWhole


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
Classes = Annotated[
    Listed[TextOrWhole] | None,
    Field(
        description="Names of its columns of logits, in their order, where these are other classes than the data has, "
        "more of them, or in another order; null takes them for those that it covers, or for all of the data."
    ),
]
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
