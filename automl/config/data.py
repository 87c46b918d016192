"""The section ``data``: where rows come from, how they are split, and whose labels students may see."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from automl.config.kinds import kind_of
from automl.config.part import (
    FilePath,
    ImportName,
    Listed,
    Named,
    NameText,
    Options,
    Part,
    Size,
    TextOrWhole,
)
from automl.config.splitting import Augmenting, Labelled, Limits, RowLimits, Split, Splitting

COMMON = ("kind", "split", "labelled", "limit_rows", "augmentation")
"""Fields of every kind; all others are arguments of its reader."""


class FilesBySplit(Part):
    """One file a split; what is left out is cut from the training rows."""

    train: FilePath | None = None
    """File of the training rows."""
    validation: FilePath | None = None
    """File of the validation rows."""
    test: FilePath | None = None
    """File of the test rows."""


ClassNames = Annotated[
    Listed[NameText] | None,
    Field(description="Names of the classes in the order of their numbers; null takes them as found."),
]
Columns = Annotated[Listed[str], Field(description="Columns to keep, by which teachers can be routed.")]


def _one_file_or_several(path: Any) -> str:
    return "=splits" if isinstance(path, dict | FilesBySplit) else "=file"


Files = Annotated[
    Annotated[FilePath, Tag("=file")] | Annotated[FilesBySplit, Tag("=splits")], Discriminator(_one_file_or_several)
]


class SklearnData(Part):
    """A data set inside scikit-learn; needs no download."""

    kind: Literal["sklearn"]
    """A data set inside scikit-learn."""
    name: str
    """breast_cancer, digits, iris or wine; digits has a column style: left, upright or right."""
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


class NpzData(Part):
    """Arrays in numpy's .npz."""

    kind: Literal["npz"]
    """Arrays in numpy's .npz."""
    path: Files
    """The file, or files by split {train, validation, test}."""
    inputs: str = "inputs"
    """Name of the array of inputs."""
    labels: str = "labels"
    """Name of the array of labels."""
    class_names: ClassNames = None
    missing_label: TextOrWhole = -100
    """What a row without a label holds."""
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


class ImageFolderData(Part):
    """Images in folders named as their classes."""

    kind: Literal["image_folder"]
    """Images in folders named as their classes."""
    path: FilePath
    """The folder that holds CLASS/*.png, or {train,validation,test}/CLASS/*.png."""
    image_size: Size
    """Height and width that every image is resized to."""
    channels: Literal[1, 3]
    """1 for grey, 3 for colour."""
    class_names: ClassNames = None
    unlabelled: str | None = None
    """Folder beside those of the classes whose images have no label."""
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


class TableData(Part):
    """CSV or Parquet, one row a sample."""

    kind: Literal["table"]
    """CSV or Parquet, one row a sample."""
    path: Files
    """A .csv, .tsv or .parquet file, or files by split {train, validation, test}."""
    label: str | None = None
    """Column of labels; empty where a row has none. A language model needs none."""
    features: Listed[str] | None = None
    """Numeric columns that make the vector; null takes all that are named nowhere else."""
    text: str | None = None
    """Column of texts, instead of features; students read them as tokens, see tokenizer."""
    columns: Columns = ()
    # The reader calls it `split` too, and so do the shares of all kinds; the key of the file's own column differs.
    split_column: str | None = None
    """Column that holds train, validation or test."""
    class_names: ClassNames = None
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


class IdxData(Part):
    """The files of MNIST and its kin."""

    kind: Literal["idx"]
    """The files of MNIST and its kin."""
    path: FilePath
    """The folder that holds train-images-idx3-ubyte and its companions, gzipped or not."""
    class_names: ClassNames = None
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


class HuggingfaceData(Part):
    """What save_to_disk of a Hugging Face data set wrote."""

    kind: Literal["huggingface"]
    """What save_to_disk of a Hugging Face data set wrote."""
    path: FilePath
    """The folder."""
    label: str | None = None
    """Column of labels. A language model needs none."""
    image: str | None = None
    """Column of images; give one of image, text and features."""
    text: str | None = None
    """Column of texts."""
    features: Listed[str] | None = None
    """Columns of numbers that make the vector."""
    columns: Columns = ()
    splits: Named[str] | None = None
    """Names of the splits within the data set, by train, validation and test."""
    class_names: ClassNames = None
    image_size: Size | None = None
    """Height and width that images are resized to."""
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for colour images."""
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


class FactoryData(Part):
    """A function of your own."""

    kind: Literal["factory"]
    """A function of your own."""
    factory: ImportName
    """package.module:name of a function that returns trials.data.raw.RawData."""
    options: Options = Field(default={})
    """Its keyword arguments."""
    split: Splitting = Split()
    labelled: Labelled = 1.0
    limit_rows: Limits = RowLimits()
    augmentation: Augmenting = None


Data = Annotated[
    Annotated[SklearnData, Tag("=sklearn")]
    | Annotated[NpzData, Tag("=npz")]
    | Annotated[ImageFolderData, Tag("=image_folder")]
    | Annotated[TableData, Tag("=table")]
    | Annotated[IdxData, Tag("=idx")]
    | Annotated[HuggingfaceData, Tag("=huggingface")]
    | Annotated[FactoryData, Tag("=factory")],
    Discriminator(kind_of),
]


def reader_arguments(data: Data) -> dict[str, object]:
    """Give the keyword arguments of the reader of this kind of data.

    Args:
        data: The section.
    """
    arguments = {name: getattr(data, name) for name in type(data).model_fields if name not in COMMON}
    if "split_column" in arguments:
        arguments["split"] = arguments.pop("split_column")
    if isinstance(arguments.get("path"), FilesBySplit):
        files = arguments["path"]
        arguments["path"] = {name: path for name, path in files if path is not None}
    return arguments


def row_limits(data: Data) -> dict[str, int]:
    """Give the limits of rows by split, of those that have one."""
    return {name: limit for name, limit in data.limit_rows if limit is not None}
