"""One point of a search space, as plain data with a stable name."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from search_spaces.choices import Values


@dataclass(frozen=True, kw_only=True, eq=True)
class StudentSpec:
    """An architecture: its space, with what is constant there, and the value of each active choice.

    Args:
        space: Name of the search space that builds it.
        values: Active choices and their values; a plain dict that nobody changes after.
        constants: What shapes every student of the space and is no choice, as plain data.
    """

    space: str
    values: Values
    constants: Mapping[str, object] = field(default_factory=dict)

    @property
    def architecture_digest(self) -> str:
        """Twelve hexadecimal digits that name the architecture; the order of values does not matter."""
        record: dict[str, object] = {"space": self.space, "values": dict(self.values)}
        # Left out where there are none, so that adding the first constant to a space renames only its own students.
        return plain_digest(record | ({"constants": dict(self.constants)} if self.constants else {}))

    def __hash__(self) -> int:
        """Hash by digest, since a dict has no hash of its own."""
        return hash(self.architecture_digest)


def plain_digest(record: object) -> str:
    """Name plain data (dicts, lists, numbers, strings) by twelve hexadecimal digits of its SHA-256.

    Args:
        record: Whatever JSON can write; keys are sorted first.

    Returns:
        The same digits for equal records, on every machine.
    """
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
