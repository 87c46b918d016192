"""What a teacher covers, from the names in a config to numbers of classes."""

from collections.abc import Sequence

from automl.config.teacher_parts import Covers
from teachers import Coverage
from trials.data import Dataset
from trials.data.settings import require_names


def coverage_of(covers: Covers, dataset: Dataset, classes: Sequence[str | int] | None) -> Coverage:
    """Turn names of classes into numbers, and make sure that some row is covered.

    Args:
        covers: As in the config.
        dataset: Has the classes and columns.
        classes: The teacher's own, where they are told; unless it says otherwise, it covers those that the data has.

    Raises:
        ValueError: A class, the column or a value of it is none of the data's, or no class is one of the teacher's.
    """
    labels = None
    if covers.labels is not None:
        labels = tuple(_class_number(label, dataset.class_names) for label in covers.labels)
    elif classes is not None:
        own = set(map(str, classes))
        labels = tuple(number for number, name in enumerate(dataset.class_names) if name in own)
        if not labels:
            shown = ", ".join(dataset.class_names)
            raise ValueError(f"none of its classes ({', '.join(map(str, classes))}) is one of the data: {shown}")
        labels = None if len(labels) == dataset.num_classes else labels
    require_names({"column": [covers.column]}, dataset.columns, where="the data", what="column")
    coverage = Coverage(labels=labels, column=covers.column, values=covers.values)
    coverage.rows(len(dataset), dataset.columns)
    return coverage


def _class_number(label: str | int, class_names: tuple[str, ...]) -> int:
    if str(label) in class_names:
        return class_names.index(str(label))
    if isinstance(label, int) and 0 <= label < len(class_names):
        return label
    raise ValueError(f"the data has no class {label!r}; its classes are {', '.join(class_names)}")
