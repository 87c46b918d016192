"""Where candidates come from."""

import numpy as np

from automl.front.objectives import Objective
from automl.samplers import SearchContext
from automl.samplers.pareto.pool import Mutants, Pool
from search_spaces import Categorical, Choice, Integer, Values, check_values

CHOICES = (
    *(Choice(name=f"width{k}", domain=Integer(low=8, high=64, step=8)) for k in range(12)),
    *(Choice(name=f"block{k}", domain=Categorical(options=("plain", "separable", "inverted"))) for k in range(12)),
)
OBJECTIVES = (Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),)
CONTEXT = SearchContext(choices=CHOICES, objectives=OBJECTIVES)
PARENT: Values = {choice.name: 8 if choice.name.startswith("width") else "plain" for choice in CHOICES}


def promise(points: object) -> np.ndarray:
    return np.array([sum(int(values[f"width{k}"]) for k in range(12)) for values in points], dtype=np.float64)


def test_mutants_stay_for_a_while_whoever_asks() -> None:
    mutants = Mutants(CONTEXT)
    few, more = mutants.of(dict(PARENT), 5, since=0), mutants.of(dict(PARENT), 20, since=0)
    assert more[:5] == few
    assert Mutants(CONTEXT).of(dict(reversed(PARENT.items())), 20, since=0) == more
    assert mutants.of(dict(PARENT), 20, since=1) != more
    for mutant in more:
        check_values(CHOICES, mutant)
        assert 1 <= sum(mutant[name] != value for name, value in PARENT.items()) <= 2


def test_a_pool_holds_each_point_once_and_none_that_is_known() -> None:
    known = CONTEXT.name(PARENT)
    pool = Pool(CONTEXT, frozenset([known]), np.random.default_rng(0))
    points = [*pool.draw(), *pool.vary([dict(PARENT)], Mutants(CONTEXT), since=0), *pool.new([dict(PARENT)])]
    names = [CONTEXT.name(point) for point in points]
    assert len(set(names)) == len(names) > 200
    assert known not in names


def test_the_climb_goes_on_from_neighbour_to_neighbour_and_looks_at_a_bounded_number() -> None:
    pool, looked = Pool(CONTEXT, frozenset(), np.random.default_rng(0)), []

    def judge(points: object) -> np.ndarray:
        looked.append(len(points))
        return promise(points)

    found = pool.climb([dict(PARENT)], promise([PARENT]), judge)
    assert (np.diff(promise(found)) <= 0).all()
    assert promise(found)[0] >= promise([PARENT])[0] + 3 * 8  # three rounds, a step of a width each
    assert max(looked) <= 120
