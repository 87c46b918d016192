import numpy as np
import optuna
import pytest

from automl.front.objectives import Objective
from automl.samplers.context import SearchContext
from automl.samplers.scalarised import Told, chebyshev, random_weights
from trials.records import Limit

OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0),
    Objective(metric="params", higher_is_better=False, worst=100.0, best=1.0, log=True),
)
LIMIT = Limit(metric="params", at_most=True, value=50.0)
CONTEXT = SearchContext(choices=(), objectives=OBJECTIVES, limits=(LIMIT,))


def test_a_point_in_the_dent_of_a_front_is_the_best_under_some_weights():
    dented = np.array([[0.0, 1.0], [0.6, 0.6], [1.0, 0.0]])  # No weighted sum has the middle one as its best.
    best = {int(np.argmin(chebyshev(dented, np.array([share, 1 - share])))) for share in np.linspace(0.01, 0.99, 99)}

    assert best == {0, 1, 2}


def test_values_are_those_of_the_formula():
    assert chebyshev(np.array([[0.2, 0.8]]), np.array([0.75, 0.25])) == pytest.approx([0.2 + 0.05 * 0.35])


def test_of_equal_maxima_the_smaller_sum_wins():
    first, second = chebyshev(np.array([[0.5, 0.1], [0.5, 0.4]]), np.array([0.5, 0.5]))

    assert first < second


def test_weights_add_up_to_one_and_reach_all_corners():
    rng = np.random.default_rng(0)
    drawn = np.array([random_weights(rng, 3) for _ in range(1000)])

    assert drawn.sum(axis=1) == pytest.approx(np.ones(1000))
    assert (drawn.max(axis=0) > 0.9).all()
    assert drawn.mean(axis=0) == pytest.approx(np.full(3, 1 / 3), abs=0.03)


def test_what_ended_is_told_in_its_order_with_what_it_breaks():
    study = optuna.create_study(directions=["maximize", "minimize"])
    slow, failed, broken, open_ = (study.ask() for _ in range(4))
    broken.set_constraint(str(LIMIT), 0.4)
    study.tell(broken, [0.0, 70.0])
    study.tell(failed, state=optuna.trial.TrialState.FAIL)
    study.tell(slow, [0.75, 10.0])

    told = Told.before(study, study.trials[open_.number], CONTEXT)

    assert [each.number for each in told] == [broken.number, failed.number, slow.number]
    assert [each.excess for each in told] == [0.4, 0.0, 0.0]
    assert told[1].loss_D is None
    assert told[2].loss_D == pytest.approx([0.25, 0.5])
