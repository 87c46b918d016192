"""Points as rows: what is in them, and what is remembered of them."""

from collections.abc import Mapping

import numpy as np
import pytest

from automl.front.objectives import Objective
from automl.samplers import SearchContext
from automl.samplers.pareto import features
from automl.samplers.pareto.features import PointFeatures
from search_spaces import Categorical, Choice, Integer, Values, at_least

OPERATIONS = Categorical(options=("skip", "conv", "pool"))
CHOICES = (
    Choice(name="depth", domain=Integer(low=1, high=3)),
    Choice(name="layer1", domain=OPERATIONS),
    Choice(name="layer2", domain=OPERATIONS, when=at_least("depth", 2)),
    Choice(name="layer3", domain=OPERATIONS, when=at_least("depth", 3)),
    Choice(name="norm", domain=Categorical(options=("batch", "layer"))),
)
SHALLOW: Values = {"depth": 1, "layer1": "conv", "norm": "batch"}
DEEP: Values = {"depth": 3, "layer1": "pool", "layer2": "conv", "layer3": "conv", "norm": "layer"}


def params(values: Values) -> float:
    return 3000.0 * sum(value == "conv" for value in values.values()) + 7.0


def features_of(asked: list[Values]) -> PointFeatures:
    def costs(values: Values) -> Mapping[str, float]:
        asked.append(values)
        return {"params": params(values)}

    objective = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
    return PointFeatures(SearchContext(choices=CHOICES, objectives=(objective,), costs=costs))


def test_a_row_counts_alike_options_and_active_choices() -> None:
    rows = features_of([]).read([SHALLOW, DEEP]).rows_PX
    # The last columns: skip, conv and pool over all layers, active choices, and the logarithm of params.
    shallow, deep = (dict(zip(("skip", "conv", "pool", "active", "params"), row[-5:], strict=True)) for row in rows)
    assert shallow["skip"] == deep["skip"] < 0  # neither has any: below the mean
    assert shallow["conv"] < deep["conv"]
    assert shallow["pool"] < deep["pool"]
    assert shallow["active"] < deep["active"]
    assert shallow["params"] < deep["params"]


def test_columns_of_one_choice_share_a_weight_and_the_trend_runs_along_known_costs() -> None:
    columns = features_of([]).columns
    assert columns.group_X.tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9]
    assert columns.trend_X.tolist() == [False] * 18 + [True]


def test_costs_come_back_as_they_were_given() -> None:
    assert features_of([]).read([SHALLOW, DEEP]).costs["params"].tolist() == [3007.0, 6007.0]


def test_no_points_are_no_rows() -> None:
    read = features_of([]).read([])
    assert read.rows_PX.shape == (0, 19)
    assert read.costs["params"].shape == (0,)


def test_a_point_is_asked_for_once_as_long_as_it_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Values] = []
    read = features_of(asked)
    asked.clear()
    before = read.read([SHALLOW, DEEP, SHALLOW])
    again = read.read([DEEP])
    assert asked == [SHALLOW, DEEP]
    np.testing.assert_array_equal(before.rows_PX[1], again.rows_PX[0])

    monkeypatch.setattr(features, "_MOST_MET", 1)
    anew = read.read([DEEP])
    assert asked == [SHALLOW, DEEP, DEEP]
    np.testing.assert_array_equal(anew.rows_PX, again.rows_PX)


def test_what_a_space_says_of_structure_has_columns_of_its_own_and_the_trend_runs_along_costs_alone() -> None:
    objective = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0)
    context = SearchContext(
        choices=CHOICES,
        objectives=(objective,),
        costs=lambda values: {"params": params(values)},
        features=lambda values: {"convolutions": params(values) // 3000, "first": float(values["layer1"] == "conv")},
    )
    read = PointFeatures(context)
    assert read.columns.group_X.tolist()[-4:] == [8, 9, 10, 11]
    assert read.columns.trend_X.tolist() == [False] * 20 + [True]
    shallow, deep = read.read([SHALLOW, DEEP]).rows_PX[:, -3:]
    assert shallow[0] < deep[0]
    assert shallow[1] > deep[1]
