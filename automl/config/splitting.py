"""How data of any kind is split, whose labels students may see, and which views of the rows."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from automl.config.kinds import kind_of
from automl.config.part import NaturalInt, Number, Part, PositiveInt, PositiveReal, Share


class Split(Part):
    """How rows are split; a split that the data brings along stays as it is."""

    validation: Share = 0.2
    """Share of the labelled rows that choose among students."""
    test: Share = 0.2
    """Share of the labelled rows that judge the chosen ones, once."""
    seed: NaturalInt = 0
    """Decides which rows; the same seed gives the same splits."""

    @field_validator("test")
    @classmethod
    def _leaves_rows_to_train(cls, test: float, info: ValidationInfo) -> float:
        """Reject shares that leave no row to train on."""
        if test + info.data.get("validation", 0) >= 1:
            raise ValueError(f"validation and test together must be below 1, got {info.data['validation']} + {test}")
        return test


class RowLimits(Part):
    """Rows to keep at most, with the shares of the classes kept."""

    train: PositiveInt | None = None
    """Of the training rows."""
    validation: PositiveInt | None = None
    """Of the validation rows."""
    test: PositiveInt | None = None
    """Of the test rows."""


def _share_or_count(value: int | float) -> int | float:
    if value < 0 or (isinstance(value, float) and not value <= 1):
        raise ValueError(f"expected a share from 0 to 1.0, or a whole number of rows, got {value}")
    return value


Labelled = Annotated[
    Number,
    AfterValidator(_share_or_count),
    Field(
        description="Share of the training labels that students may see (0.1: a tenth), or how many (a whole number); "
        "0 leaves all to teachers, those that are trained first see all."
    ),
]
Splitting = Annotated[Split, Field(description="How rows are split into train, validation and test.")]
Limits = Annotated[RowLimits, Field(description="Rows to keep at most, by split.")]


class ImageAugmentation(Part):
    """Images flipped and shifted."""

    kind: Literal["image"]
    """Images flipped and shifted."""
    views: PositiveInt
    """Different views of a row; each epoch shows the next one, and teachers answer for each once."""
    flip: bool = False
    """Whether half of the images are turned left to right."""
    shift: NaturalInt = 0
    """Pixels by which an image is moved at most, up or down and left or right; 0 comes in from the border."""
    seed: NaturalInt = 0
    """Decides what each view is."""


class NoiseAugmentation(Part):
    """Gaussian noise on vectors."""

    kind: Literal["noise"]
    """Gaussian noise on vectors."""
    views: PositiveInt
    """Different views of a row; each epoch shows the next one, and teachers answer for each once."""
    noise: PositiveReal
    """Deviation of the noise, as a share of the deviation of each feature over the training rows."""
    seed: NaturalInt = 0
    """Decides what each view is."""


Augmentation = Annotated[
    Annotated[ImageAugmentation, Tag("=image")] | Annotated[NoiseAugmentation, Tag("=noise")], Discriminator(kind_of)
]
Augmenting = Annotated[
    Augmentation | None,
    Field(description="Views of training rows that students see instead of the rows as they are; null for none."),
]
