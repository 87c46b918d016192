"""Work that no machine of a cluster has room for, however long it waits."""

import time
from collections.abc import Mapping, Sequence

TELL_AFTER = 10.0
"""Seconds after which it is told, since a machine may be about to join."""


class Unserved:
    """Notices what is waited for in vain, and says so once, until a machine that has it comes and goes again."""

    def __init__(self) -> None:
        self._since: dict[tuple[tuple[str, float], ...], float] = {}

    def news(self, asked: Sequence[Mapping[str, float]], machines: Sequence[Mapping[str, float]]) -> list[str]:
        """Say what has been waited for long enough to be told.

        Args:
            asked: What each piece of work under way takes of one machine, by the resource's name.
            machines: What each machine of the cluster has.
        """
        now = time.monotonic()
        lacking = {tuple(sorted(work.items())) for work in asked if not any(_fits(work, has) for has in machines)}
        self._since = {work: self._since.get(work, now) for work in lacking}
        due = [work for work, since in self._since.items() if now - since >= TELL_AFTER]
        self._since |= dict.fromkeys(due, float("inf"))  # Told.
        return [_waited_for(dict(work), machines) for work in sorted(due)]


def _fits(work: Mapping[str, float], has: Mapping[str, float]) -> bool:
    return all(has.get(name, 0.0) >= amount for name, amount in work.items())


def _waited_for(work: Mapping[str, float], machines: Sequence[Mapping[str, float]]) -> str:
    needed = {name: amount for name, amount in work.items() if amount > 0}
    most = {name: max((has.get(name, 0.0) for has in machines), default=0.0) for name in needed}
    return (
        f"waiting for a machine with {_listed(needed)}: none of the cluster's {len(machines)} has that "
        f"(at most {_listed(most)}); add one, or stop the search and lower resources"
    )


def _listed(amounts: Mapping[str, float]) -> str:
    return " and ".join(f"{amount:g} {name}" for name, amount in amounts.items())
