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

_REFERENCE = 300
"""Points drawn at random by which columns are centred and scaled."""
_MOST_MET = 16_000
"""Points that are remembered, about 2 kB each where there are forty choices; then all are forgotten."""
_Key = tuple[tuple[str, ...], tuple[Value, ...]]


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
    """Turns points into rows, and remembers rows and costs of those that it met last.

    A row holds the encoded choices; how often each option is chosen, over choices that have the same ones, and how many
    choices are active, since what an architecture can do often hangs on how much of a thing it has and less on where;
    what the space says of the point's structure; and the logarithms of the costs that are known, which accuracy has a
    trend along. A trend along the structure, too, was believed too far from a few students: some searches then kept to
    the kinds of structure that they happened to begin with.

    Args:
        context: Of the search.
    """

    def __init__(self, context: SearchContext) -> None:
        self._context = context
        self._met: dict[_Key, Array] = {}
        generator = np.random.default_rng(0)
        drawn = [sample(context.choices, generator) for _ in range(_REFERENCE)]
        self.known: tuple[str, ...] = tuple(context.costs(drawn[0]))
        """Names of the metrics that are known before training."""
        self._structure = tuple(context.features(drawn[0]))
        self._counting_FX = _counting(context.choices)
        widths = [len(list(columns_of(choice))) for choice in context.choices]
        groups = [group for group, width in enumerate(widths) for _ in range(width)]
        raw_PX, _ = self._raw(drawn)
        num_further = raw_PX.shape[1] - len(groups)
        self._centre_X = raw_PX.mean(axis=0)
        self._scale_X = np.ones(raw_PX.shape[1])
        spread_X = raw_PX.std(axis=0)
        self._scale_X[len(groups) :] = np.where(spread_X > 0, spread_X, 1.0)[len(groups) :]
        groups += [len(widths) + further for further in range(num_further)]
        trend_X = np.arange(len(groups)) >= len(groups) - len(self.known)
        self.columns = Features(group_X=np.array(groups, dtype=np.intp), trend_X=trend_X)
        """How the columns are to be read."""

    def read(self, points: Sequence[Values]) -> "Read":
        """Read points: choices as 0 and 1 or along their scale, the rest about as large as its spread."""
        keys = [(tuple(values), tuple(values.values())) for values in points]
        if len(self._met) > _MOST_MET:
            self._met = {}
        new = {key: values for key, values in zip(keys, points, strict=True) if key not in self._met}
        self._met.update(zip(new, np.concatenate(self._raw(list(new.values())), axis=1), strict=True))
        num_columns = len(self._centre_X)
        met_PX = np.array([self._met[key] for key in keys]).reshape(len(keys), num_columns + len(self.known))
        return Read(
            rows_PX=(met_PX[:, :num_columns] - self._centre_X) / self._scale_X,
            costs={name: met_PX[:, num_columns + place] for place, name in enumerate(self.known)},
        )

    def _raw(self, points: Sequence[Values]) -> tuple[Array, Array]:
        """Give rows as they are before they are centred and scaled, and the costs that are known."""
        encoded_PF = encode(self._context.choices, points)
        cost_PM = _columns([self._context.costs(values) for values in points], self.known)
        structure_PX = _columns([self._context.features(values) for values in points], self._structure)
        further = [encoded_PF @ self._counting_FX, structure_PX, np.log(np.maximum(cost_PM, 1e-12))]
        return np.concatenate([encoded_PF, *further], axis=1), cost_PM


def _columns(found: Sequence[Mapping[str, float]], names: Sequence[str]) -> Array:
    return np.array([[each[name] for name in names] for each in found], dtype=np.float64).reshape(
        len(found), len(names)
    )


def _counting(choices: tuple[Choice, ...]) -> Array:
    """Give the matrix that turns encoded choices into counts of alike options, and of active choices where that varies.

    Unconditional choices are left out of the last: they add the same to each point.
    """
    columns: dict[tuple[Value, ...], list[int]] = {}
    active, width = [], 0
    for choice in choices:
        if choice.when is not None:
            active.append(width)
        width += len(list(columns_of(choice)))
        if isinstance(choice.domain, Categorical) and len(choice.domain.options) > 1:
            columns.setdefault(choice.domain.options, []).append(width - len(choice.domain.options))
    counted = [
        [first + place for first in those]
        for options, those in columns.items()
        if len(those) > 1
        for place in range(len(options))
    ]
    counting_FX = np.zeros((width, len(counted) + bool(active)))
    for row, those in enumerate([*counted, active] if active else counted):
        counting_FX[those, row] = 1.0
    return counting_FX
