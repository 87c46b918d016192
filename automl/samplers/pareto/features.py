"""Points of a search space as a Gaussian process reads them.

Shape letters: P = points, X = columns, M = metrics that are known before training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.samplers.context import SearchContext
from automl.samplers.pareto.surrogate import Features
from search_spaces import Categorical, Choice, Value, Values, columns_of, encode, sample

Array = NDArray[np.float64]
Point = dict[str, Value]

_REFERENCE = 300
"""Points drawn at random by which columns are centred and scaled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Read:
    """Points as they are read.

    Args:
        rows_PX: One row a point.
        costs: Metrics that are known before training, each of shape (P,).
    """

    rows_PX: Array
    costs: Mapping[str, Array]


class PointFeatures:
    """Turns points into rows, and remembers what they are known to cost.

    A row holds the encoded choices; how often each option is chosen, over choices that have the same ones, and how many
    choices are active, since what an architecture can do often hangs on how much of a thing it has and less on where;
    and the logarithms of the costs that are known. The last are what accuracy has a trend along.

    Args:
        context: Of the search.
    """

    def __init__(self, context: SearchContext) -> None:
        self._context = context
        self._costs: dict[object, tuple[float, ...]] = {}
        generator = np.random.default_rng(0)
        drawn = [sample(context.choices, generator) for _ in range(_REFERENCE)]
        self.known: tuple[str, ...] = tuple(context.costs(drawn[0]))
        """Names of the metrics that are known before training."""
        self._alike = _alike(context.choices)
        widths = [len(list(columns_of(choice))) for choice in context.choices]
        groups = [group for group, width in enumerate(widths) for _ in range(width)]
        rows_PX = self._rows(drawn, self._costs_at(drawn))
        num_further = rows_PX.shape[1] - len(groups)
        self._centre_X = rows_PX.mean(axis=0)
        self._scale_X = np.ones(rows_PX.shape[1])
        spread_X = rows_PX.std(axis=0)
        self._scale_X[len(groups) :] = np.where(spread_X > 0, spread_X, 1.0)[len(groups) :]
        groups += [len(widths) + further for further in range(num_further)]
        trend_X = np.arange(len(groups)) >= len(groups) - len(self.known)
        self.columns = Features(group_X=np.array(groups, dtype=np.intp), trend_X=trend_X)
        """How the columns are to be read."""

    def read(self, points: Sequence[Values]) -> "Read":
        """Read points: choices as 0 and 1 or along their scale, the rest about as large as its spread."""
        costs = self._costs_at(points)
        rows_PX = (self._rows(points, costs) - self._centre_X) / self._scale_X
        return Read(rows_PX=np.asarray(rows_PX, dtype=np.float64), costs=costs)

    def _costs_at(self, points: Sequence[Values]) -> Mapping[str, Array]:
        found_PM = np.array([self._costs_of(values) for values in points]).reshape(len(points), len(self.known))
        return {name: found_PM[:, column] for column, name in enumerate(self.known)}

    def _costs_of(self, values: Values) -> tuple[float, ...]:
        key = self._context.name(values)
        if key not in self._costs:
            costs = self._context.costs(values)
            self._costs[key] = tuple(float(costs[name]) for name in self.known)
        return self._costs[key]

    def _rows(self, points: Sequence[Values], costs: Mapping[str, Array]) -> Array:
        further = [
            [float(list(_chosen(values, names)).count(option)) for values in points] for names, option in self._alike
        ]
        if any(choice.when is not None for choice in self._context.choices):
            further.append([float(len(values)) for values in points])
        further += [np.log(np.maximum(costs[name], 1e-12)).tolist() for name in self.known]
        columns = np.array(further, dtype=np.float64).reshape(len(further), len(points))
        return np.concatenate([encode(self._context.choices, points), columns.T], axis=1)


def _alike(choices: tuple[Choice, ...]) -> list[tuple[tuple[str, ...], Value]]:
    """List the choices that have the same options, with each of these."""
    names: dict[tuple[Value, ...], list[str]] = {}
    for choice in choices:
        if isinstance(choice.domain, Categorical) and len(choice.domain.options) > 1:
            names.setdefault(choice.domain.options, []).append(choice.name)
    return [(tuple(those), option) for options, those in names.items() if len(those) > 1 for option in options]


def _chosen(values: Values, names: Sequence[str]) -> list[Value]:
    return [values[name] for name in names if name in values]
