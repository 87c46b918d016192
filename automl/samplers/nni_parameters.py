"""Choices as the parameters of NNI's tuners, and back."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from search_spaces import Categorical, Choice, Domain, Integer, Point, Value, Values, walk
from search_spaces.nni_library import import_nni
from search_spaces.scales import draw, first_value, num_values, same

Formatted = Mapping[tuple[str], float]
"""A point inside a tuner: by key, the place of an option or step, or a number, logarithmic where its choice is."""


class Translation:
    """The choices of a search, as NNI's tuners take them.

    Conditions are NNI's own question ``is_activated_in``, answered by ours: its nested search spaces are trees, and a
    condition here may read any choice before it. What has one value only is left out.

    Args:
        choices: Architecture and recipe together.
    """

    def __init__(self, choices: tuple[Choice, ...]) -> None:
        import_nni()
        from nni.common.hpo_utils import ParameterSpec

        self.choices = choices
        self._by_name = {choice.name: choice for choice in choices}
        self._free = {choice.name: choice for choice in choices if num_values(choice.domain) != 1}
        translation = self

        class Conditional(ParameterSpec):  # type: ignore[misc] # NNI ships no types
            """A parameter under a condition of ours."""

            def is_activated_in(self, partial_parameters: Formatted) -> bool:
                """Tell whether the parameter is asked, from those before it."""
                return translation._is_active(self.name, _Partial(translation, partial_parameters))

            def is_nested(self) -> bool:
                """Tell whether it may not be asked, so that two points can differ in nothing else."""
                return translation._by_name[self.name].when is not None

        self.specs = {(name,): Conditional(**_specified(choice)) for name, choice in self._free.items()}
        self._formatted: dict[tuple[tuple[str, type, Value], ...], tuple[dict[tuple[str], float], str]] = {}

    def genes(self) -> dict[str, dict[str, Any]]:
        """Give the search space as NNI's evolution takes it: all choices side by side."""
        return {name: _gene(choice.domain) for name, choice in self._free.items()}

    def individual(self, values: Values, rng: np.random.Generator) -> dict[str, Any]:
        """Give a point as an individual of NNI's evolution; genes that are not active in it are drawn."""
        found = {}
        for name, choice in self._free.items():
            held = name in values and values[name] in choice.domain
            gene = _encoded(choice.domain, values[name] if held else draw(choice.domain, rng))
            found[name] = {"_index": gene, "_value": gene} if isinstance(choice.domain, Categorical) else gene
        return found

    def formatted(self, values: Values) -> tuple[dict[tuple[str], float], str]:
        """Give a point as tuners hold it, and the text by which they tell points apart; it is found out once."""
        key = tuple((name, type(value), value) for name, value in values.items())  # True is not 1 here.
        if key not in self._formatted:
            self._formatted[key] = self._format(values)
        return self._formatted[key]

    def _format(self, values: Values) -> tuple[dict[tuple[str], float], str]:
        from nni import dump
        from nni.common.hpo_utils import deformat_parameters

        held = {name: choice.domain for name, choice in self._free.items() if name in values}
        found = {
            (name,): _on_scale(domain, _encoded(domain, values[name]))
            for name, domain in held.items()
            if values[name] in domain
        }
        return found, dump(deformat_parameters(found, self.specs), sort_keys=True)

    def point(self, proposed: Mapping[str, Any]) -> Point:
        """Give the point that a tuner proposed."""

        def pick(choice: Choice) -> Value:
            if choice.name not in self._free:
                return first_value(choice.domain)
            return _decoded(choice.domain, proposed[choice.name])

        return walk(self.choices, pick)

    def _is_active(self, name: str, values: Values) -> bool:
        when = self._by_name[name].when
        return when is None or when(values)

    def _value(self, name: str, formatted: Formatted) -> Value:
        from nni.common.hpo_utils import deformat_parameters

        if name not in self._free:
            return first_value(self._by_name[name].domain)
        plain = deformat_parameters({(name,): formatted[(name,)]}, self.specs)[name]
        return _decoded(self._free[name].domain, plain)

    def _has(self, name: str, formatted: Formatted) -> bool:
        if name in self._free:
            return (name,) in formatted
        return name in self._by_name and self._is_active(name, _Partial(self, formatted))


class _Partial(Mapping[str, Value]):
    """A point that a tuner has proposed in part, as conditions read it: only what they ask for is worked out."""

    def __init__(self, translation: Translation, formatted: Formatted) -> None:
        self._translation = translation
        self._formatted = formatted

    def __getitem__(self, name: str) -> Value:
        if name not in self:
            raise KeyError(name)
        return self._translation._value(name, self._formatted)

    def __contains__(self, name: object) -> bool:
        return self._translation._has(str(name), self._formatted)

    def __iter__(self) -> Iterator[str]:
        return (choice.name for choice in self._translation.choices if choice.name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _specified(choice: Choice) -> dict[str, Any]:
    """Describe a choice as NNI's tuners see a parameter.

    Whole numbers get half a step of room at both ends, else the ends are drawn half as often as they should be.
    """
    domain, shared = choice.domain, {"name": choice.name, "key": (choice.name,)}
    if isinstance(domain, Categorical):
        options = list(range(len(domain.options)))
        return {**shared, "type": "choice", "values": options, "categorical": True, "size": len(options)}
    low, high = _ends(domain)
    room = 0.5 if isinstance(domain, Integer) else 0.0
    return {
        **shared,
        "type": "uniform",
        "values": [low, high],
        "categorical": False,
        "normal_distributed": False,
        "log_distributed": domain.log,
        "low": math.log(low - room) if domain.log else low - room,
        "high": math.log(high + room) if domain.log else high + room,
        "q": 1.0 if isinstance(domain, Integer) else None,
        "clip": (low, high),
    }


def _gene(domain: Domain) -> dict[str, Any]:
    """Describe a choice as NNI's search spaces are written."""
    if isinstance(domain, Categorical):
        return {"_type": "choice", "_value": list(range(len(domain.options)))}
    low, high = _ends(domain)
    if isinstance(domain, Integer) and domain.log:
        return {"_type": "qloguniform", "_value": [low - 0.5, high + 0.5, 1]}
    if isinstance(domain, Integer):
        return {"_type": "randint", "_value": [0, int(high) + 1]}
    return {"_type": "loguniform" if domain.log else "uniform", "_value": [low, high]}


def _ends(domain: Domain) -> tuple[float, float]:
    """Give the ends of a scale as tuners see it: of whole numbers the places of their steps."""
    assert not isinstance(domain, Categorical)
    if isinstance(domain, Integer) and not domain.log:
        return 0.0, float((domain.high - domain.low) // domain.step)
    return float(domain.low), float(domain.high)


def _encoded(domain: Domain, value: Value) -> Any:
    if isinstance(domain, Categorical):
        return next(place for place, option in enumerate(domain.options) if same(option, value))
    if isinstance(domain, Integer) and not domain.log:
        return (int(value) - domain.low) // domain.step
    return float(value)


def _decoded(domain: Domain, found: Any) -> Value:
    if isinstance(domain, Categorical):
        return domain.options[int(found)]
    if isinstance(domain, Integer):
        number = round(float(found)) if domain.log else domain.low + domain.step * round(float(found))
        return min(max(number, domain.low), domain.high)
    return min(max(float(found), float(domain.low)), float(domain.high))  # A power may step over the edge.


def _on_scale(domain: Domain, encoded: Any) -> float:
    is_log = not isinstance(domain, Categorical) and domain.log
    return math.log(encoded) if is_log else encoded
