"""What finds room: files on the disk, and models in memory."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

Files = Mapping[Hashable, int]
"""Bytes by whatever names a file; the same name is the same file, which takes its room once."""


class Disk:
    """What is kept, within a limit."""

    def __init__(self, limit_bytes: int) -> None:
        """Start with nothing.

        Args:
            limit_bytes: Of all that is kept.
        """
        self._left = limit_bytes
        self.kept: set[Hashable] = set()

    def lacking(self, files: Files) -> int:
        """Bytes of what is not kept yet."""
        return sum(size for file, size in files.items() if file not in self.kept)

    def keeps(self, files: Files) -> bool:
        """Tell whether all of them are kept."""
        return self.kept.issuperset(files)

    def keep(self, files: Files) -> None:
        """Keep all of them, or none where they do not fit."""
        if (lacking := self.lacking(files)) <= self._left:
            self._left -= lacking
            self.kept.update(files)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A model that need not run if all that it says is kept.

    Args:
        name: Of the model.
        disk_bytes: Of all that it says.
        memory_bytes: That it takes where it runs.
    """

    name: str
    disk_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class _Split:
    kept: frozenset[str]
    disk_bytes: int
    memory_bytes: int


def models_to_keep(models: Sequence[Whole], *, disk_bytes: int, memory_bytes: int) -> Collection[str] | None:
    """Choose models of which all is kept, so that those that must run fit into memory; the choice is exact.

    Args:
        models: Of different names.
        disk_bytes: For those that are kept.
        memory_bytes: For the others.

    Returns:
        Names of those that are kept, which take the least disk; None where there is no way.
    """
    ways = [_Split(frozenset(), 0, 0)]
    for model in models:
        both = [_Split(way.kept | {model.name}, way.disk_bytes + model.disk_bytes, way.memory_bytes) for way in ways]
        both += [_Split(way.kept, way.disk_bytes, way.memory_bytes + model.memory_bytes) for way in ways]
        ways = _undominated([way for way in both if way.disk_bytes <= disk_bytes and way.memory_bytes <= memory_bytes])
    return ways[0].kept if ways else None


def _undominated(ways: Sequence[_Split]) -> list[_Split]:
    """Drop the ways that take as much disk as another and no less memory, in the order of the disk that they take."""
    left: list[_Split] = []
    for way in sorted(ways, key=lambda way: (way.disk_bytes, way.memory_bytes)):
        if not left or way.memory_bytes < left[-1].memory_bytes:
            left.append(way)
    return left
