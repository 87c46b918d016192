"""What a sampler may know of a search beside the values that it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from automl.front.objectives import Objective
from search_spaces import Choice, Values
from trials.records import Limit


def _none(values: Values) -> Mapping[str, float]:
    del values
    return {}


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchContext:
    """A search, as its sampler sees it.

    Args:
        choices: Architecture and recipe together.
        objectives: In the order of the values told.
        limits: What a student must keep to count.
        costs: Metrics of a point that are known before it is trained, exact and above 0, by name; always the same ones.
        features: Numbers that say something of a point's structure, by name; always the same ones.
        seed: Of the search; each proposal has one of its own beside.
        identity: What tells points apart: two of one identity are one student. None takes the values as they are.
    """

    choices: tuple[Choice, ...]
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()
    costs: Callable[[Values], Mapping[str, float]] = _none
    features: Callable[[Values], Mapping[str, float]] = _none
    seed: int = 0
    identity: Callable[[Values], object] | None = None

    def name(self, values: Values) -> object:
        """Name a point, so that no other student has the same name."""
        return frozenset(values.items()) if self.identity is None else self.identity(values)
