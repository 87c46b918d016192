"""Which layers of a student learn from which of a teacher, as one text of a config."""

import re
from typing import NamedTuple

from trials.losses.loss import Needs

_NAME = re.compile(r"[A-Za-z]\w*(\.\w+)?")


class LayerPair(NamedTuple):
    """A layer of the student and the one of the teacher that it is compared with.

    Args:
        student: Name of a feature.
        teacher: Name of a feature.
    """

    student: str
    teacher: str

    def __str__(self) -> str:
        return f"{self.student}={self.teacher}"


def parse_layers(layers: str, *, option: str = "layers") -> tuple[LayerPair, ...]:
    """Read pairs of layers: ``stage1, last`` of names that both have, or ``stage1=stage2, last``.

    Args:
        layers: Names of features as the taps know them, or pairs ``student=teacher``, with commas between them.
        option: What the text is called in the config, for messages.

    Returns:
        The pairs, in their order.

    Raises:
        ValueError: The text does not follow this grammar, or names a pair twice.
    """
    items = [item.split("=") for item in layers.split(",")] if isinstance(layers, str) else [[""]]
    pairs = []
    for item in items:
        names = [name.strip() for name in item]
        if len(names) > 2 or not all(_NAME.fullmatch(name) for name in names):
            raise ValueError(
                f"{option} must be names of features, or pairs student=teacher, with commas between them, "
                f'such as "stage1=stage2, last"; got {layers!r}'
            )
        pairs.append(LayerPair(names[0], names[-1]))
    if twice := sorted({str(pair) for pair in pairs if pairs.count(pair) > 1}):
        raise ValueError(f"{option} must name each pair once, got {', '.join(twice)} more than once in {layers!r}")
    return tuple(pairs)


def names_of(pairs: tuple[LayerPair, ...]) -> Needs:
    """List what pairs read: each name once on each side, in their order."""
    student = dict.fromkeys(pair.student for pair in pairs)
    return Needs(student=tuple(student), teacher=tuple(dict.fromkeys(pair.teacher for pair in pairs)))
