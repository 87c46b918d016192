"""How many points a space has, without going through them all."""

from collections.abc import Iterator, Mapping

from search_spaces.choices import Categorical, Choice, Domain, Value
from search_spaces.scales import num_values, same

MAX_VISITS = 100_000
"""Choices looked at before ``size`` gives up; the built-in spaces need a few thousand."""

_ABSENT = object()


def size(choices: tuple[Choice, ...], *, max_visits: int = MAX_VISITS) -> int | None:
    """Count the points.

    The count of what follows a choice depends on the values before it only through what conditions read. So a choice
    that no later condition reads multiplies, and counts are remembered with the values that they depend on: spaces of
    10^20 points are counted exactly.

    Args:
        choices: Of the space.
        max_visits: Work that may be spent, in choices looked at.

    Returns:
        Number of points; None where a real number is chosen, or the work would exceed ``max_visits``.
    """
    try:
        return _Counter(choices, max_visits).count(0, {})[0]
    except _Uncountable:
        return None


class _Uncountable(Exception):  # noqa: N818 - it is no error, only the way out of a deep recursion
    """There are infinitely many points, or too many to find out."""


class _Watched(Mapping[str, Value]):
    """Values that note which of them were read, and with what answer."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values
        self.reads: dict[str, object] = {}

    def __getitem__(self, name: str) -> Value:
        self.reads[name] = self._values.get(name, _ABSENT)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        self.reads.update(self._values)
        return iter(self._values)

    def __len__(self) -> int:
        self.reads.update(self._values)
        return len(self._values)


_Count = tuple[int, dict[str, object]]


class _Counter:
    """Counts completions of a point from one choice on, each with the values that the count depends on."""

    def __init__(self, choices: tuple[Choice, ...], max_visits: int) -> None:
        self._choices = choices
        self._visits_left = max_visits
        self._known: list[list[_Count]] = [[] for _ in choices]

    def count(self, index: int, values: dict[str, Value]) -> _Count:
        if index == len(self._choices):
            return 1, {}
        for total, reads in self._known[index]:
            if all(same(values.get(name, _ABSENT), value) for name, value in reads.items()):
                return total, reads
        self._visits_left -= 1
        if self._visits_left < 0:
            raise _Uncountable
        result = self._count_anew(index, values)
        self._known[index].append(result)
        return result

    def _count_anew(self, index: int, values: dict[str, Value]) -> _Count:
        choice = self._choices[index]
        watched = _Watched(values)
        if choice.when is not None and not choice.when(watched):
            total, reads = self.count(index + 1, values)
            return total, watched.reads | reads
        if (num_options := num_values(choice.domain)) is None:
            raise _Uncountable
        total, all_reads = 0, dict(watched.reads)
        for option in _values_of(choice.domain):
            part, reads = self.count(index + 1, values | {choice.name: option})
            all_reads |= {name: value for name, value in reads.items() if name != choice.name}
            if choice.name not in reads:
                # This option's count was found without looking at the option, so all options share it.
                return part * num_options, all_reads
            total += part
        return total, all_reads


def _values_of(domain: Domain) -> Iterator[Value]:
    if isinstance(domain, Categorical):
        yield from domain.options
    else:
        assert domain.low == domain.high or not isinstance(domain.low, float), "infinite domains are not gone through"
        step = getattr(domain, "step", 1)
        yield from (domain.low + step * index for index in range(num_values(domain) or 0))
