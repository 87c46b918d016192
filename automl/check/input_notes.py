"""What of a search's data and teachers was read as it stands, but looks like a mistake."""

import re
from collections.abc import Iterator, Mapping

from automl.check.teachers import Examined
from automl.preparation.prepare import Prepared

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")


def input_notes(prepared: Prepared, examined: Mapping[int, Examined]) -> Iterator[str]:
    """Tell of labels that may mean that there is none, and of teachers that know nothing of the data.

    Args:
        prepared: The search.
        examined: What was found of the teachers that are there, by position.
    """
    if note := _unlabelled(prepared):
        yield note
    for position, teacher in examined.items():
        name = prepared.config.teachers[position].name
        labels = teacher.teacher.coverage.labels
        num_classes = prepared.dataset.num_classes if labels is None else len(labels)
        home = teacher.metrics.get("home")
        if home is not None and not prepared.dataset.of_tokens and num_classes > 1 and home <= 1 / num_classes:
            yield (
                f"teacher {name!r} is right in {home:.3f} of the rows that it covers, and guessing among "
                f"{num_classes} classes in {1 / num_classes:.3f}; look at the order of its classes, its preprocessing "
                "and the data that it was fitted on"
            )


def _unlabelled(prepared: Prepared) -> str:
    """Tell of a class -1, as scikit-learn marks rows without a label; with 1 alone beside it, it is a class."""
    data, names = prepared.config.data, prepared.dataset.class_names
    if "-1" not in names or set(names) == {"-1", "1"} or not all(map(_WHOLE_NUMBER.fullmatch, names)):
        return ""
    if getattr(data, "class_names", None) is not None:
        return ""
    remedy = "write `missing_label: -1` into `data`" if data.kind == "npz" else "leave their labels empty"
    return f"label -1 is taken as a class; if it marks rows without a label, {remedy}"
