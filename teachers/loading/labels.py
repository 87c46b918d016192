"""Which of a model's classes are which of the data's, by name where names fit."""

from collections.abc import Mapping, Sequence

_SHOWN = 12


def label_columns(
    id2label: Mapping[int, str], *, class_names: Sequence[str], labels: Sequence[int] | None
) -> list[int] | None:
    """Find the columns of a model's logits that are the classes it is heard on.

    Names are compared as they stand, then without regard to case. Where none of the model's names is one of the data's,
    as with the library's ``LABEL_0``, columns are taken in their order.

    Args:
        id2label: Name of each of the model's classes, by column.
        class_names: Of the data, in the order of their numbers.
        labels: Classes of the data that it covers, in the order of the columns to give; None means all.

    Returns:
        A column for each covered class, in their order; None for all columns as they are.

    Raises:
        ValueError: Some names fit and others do not, or the numbers of classes differ.
    """
    wanted = [class_names[label] for label in (range(len(class_names)) if labels is None else labels)]
    own = [id2label[column] for column in range(len(id2label))]
    for spell in (str, str.casefold):
        places = {spell(name): column for column, name in enumerate(own)}
        found = [places.get(spell(name)) for name in wanted]
        if len(places) == len(own) and all(column is not None for column in found):
            return [column for column in found if column is not None]
    known = {name.casefold() for name in own}
    if matched := [name for name in class_names if name.casefold() in known]:
        if labels is None and len(matched) == len(own):
            raise ValueError(
                f"it knows the classes {_shown(own)} alone; write covers: {{labels: [{', '.join(matched)}]}}"
            )
        raise ValueError(
            f"its classes are {_shown(own)}, and it shall be heard on {_shown(wanted)}; let the names in id2label of "
            "its config.json be those of the data, or list in covers.labels those that it knows"
        )
    if len(own) not in (len(wanted), len(class_names)):
        raise ValueError(
            f"it gives {len(own)} classes, {_shown(own)}, and shall be heard on {len(wanted)}, {_shown(wanted)}; set "
            "covers.labels to those that it knows, in the order of its columns"
        )
    return None


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
