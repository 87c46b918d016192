"""Which column of a teacher's answer is which class.

Shape letters: B = batch, C = classes.
"""

import torch
from torch import Tensor

from teachers.teacher import Teacher


def class_columns(teacher: Teacher, *, width: int, num_classes: int) -> tuple[list[int] | slice, list[int] | slice]:
    """Say which columns of a teacher's logits to read and which classes they are.

    Where it covers as many labels as it gives columns, columns are in the order of ``Coverage.labels``.

    Args:
        teacher: Its name and coverage are read.
        width: Columns that it gave.
        num_classes: Classes of the data set, C.

    Returns:
        Columns to read, and the class of each; slices where it gives all classes in order, which copies without an
        index.

    Raises:
        ValueError: The width is neither C nor the number of covered labels.
    """
    labels = teacher.coverage.labels
    if labels is None and width == num_classes:
        return slice(None), slice(None)
    classes = list(range(num_classes)) if labels is None else list(labels)
    if width == len(classes):
        return slice(None), classes
    if width == num_classes:
        return classes, classes
    partly = labels is not None and len(classes) < num_classes
    expected = f"{num_classes} (all classes) or {len(classes)} (labels it covers)" if partly else f"{num_classes}"
    remedy = "set the labels that it covers, in the order of its columns"
    if width > num_classes:
        remedy = "name the classes of its columns in order (classes: [...]), so that those of the data are found"
    raise ValueError(f"teacher {teacher.name!r} gave {width} columns of logits, expected {expected}; {remedy}")


def check_finite(teacher: Teacher, output: str, values: Tensor) -> None:
    """Refuse an answer with NaN or infinity.

    Args:
        teacher: Named in the message.
        output: Name of the output.
        values: The answer (B, ...).

    Raises:
        ValueError: Some rows are not finite; the message counts them.
    """
    finite_B = torch.isfinite(values).reshape(len(values), -1).all(dim=1)
    if not bool(finite_B.all()):
        bad = int((~finite_B).sum())
        raise ValueError(
            f"teacher {teacher.name!r} gave {output} that are not finite for {bad} of {len(values)} rows; "
            "check its preprocessing; as float16, in which answers are kept, values end at 65504"
        )
