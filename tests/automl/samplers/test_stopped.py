"""What samplers learn of trials that were stopped."""

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl.front.objectives import Objective
from automl.samplers import SAMPLERS, SearchContext, make_sampler
from automl.samplers.pareto.evidence import Evidence
from automl.samplers.scalarised import Told
from automl.samplers.stopped import Stopped
from search_spaces import Choice, Real

OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0),
    Objective(metric="params", higher_is_better=False, worst=100.0, best=0.0),
)
CONTEXT = SearchContext(choices=(Choice(name="x", domain=Real(low=0.0, high=1.0)),), objectives=OBJECTIVES)


def trial_of(*shown: float, last: float | None = None, x: float = 0.5) -> FrozenTrial:
    """Make a trial that showed some accuracy at rungs 1, 3 ...; without a last one it was stopped there."""
    rungs = [
        {"rung": 3**k, "epoch": 3**k, "candidate": {"metrics": {"accuracy": value, "params": 50.0}}, "goes_on": True}
        for k, value in enumerate(shown)
    ]
    attributes: dict[str, Any] = {"rungs": rungs} if rungs else {}
    return create_trial(
        state=TrialState.PRUNED if last is None else TrialState.COMPLETE,
        values=None if last is None else [last, 50.0],
        params={"x": x},
        distributions={"x": FloatDistribution(0.0, 1.0)},
        user_attrs=attributes,
    )


def test_what_a_student_showed_counts_as_it_is_until_one_went_on_to_the_end() -> None:
    assert Stopped([trial_of(0.4)], OBJECTIVES).loss(trial_of(0.4)) == pytest.approx([0.6, 0.5])


def test_what_others_learnt_after_the_rung_is_added() -> None:
    ended = [trial_of(0.5, 0.6, last=0.8), trial_of(0.4, 0.7, last=0.9), trial_of(0.5, 0.8, last=0.9), trial_of(0.3)]
    stopped = Stopped(ended, OBJECTIVES)
    assert stopped.loss(trial_of(0.3)) == pytest.approx([1 - (0.3 + 0.4), 0.5])
    assert stopped.loss(trial_of(0.3, 0.5)) == pytest.approx([1 - (0.5 + 0.2), 0.5])


def test_of_others_it_says_nothing() -> None:
    stopped = Stopped([], OBJECTIVES)
    assert stopped.loss(trial_of(0.5, last=0.8)) is None
    assert stopped.loss(trial_of()) is None
    assert stopped.loss(trial_of(float("nan"))) is None


def study_of(*trials: FrozenTrial) -> optuna.Study:
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.add_trials(trials)
    return study


def test_proposers_of_one_number_are_told_of_them() -> None:
    study = study_of(trial_of(0.5, last=0.8), trial_of(0.4))
    asked = study.ask()
    _, stopped = Told.before(study, asked._cached_frozen_trial, CONTEXT)
    assert stopped.loss_D == pytest.approx([1 - 0.7, 0.5])


def test_the_pareto_sampler_knows_what_they_cost_and_showed_and_not_what_they_would_have_learnt() -> None:
    study = study_of(trial_of(0.5, last=0.8, x=0.1), trial_of(0.9, x=0.7))
    evidence = Evidence.of(study, study.ask()._cached_frozen_trial, CONTEXT)
    np.testing.assert_allclose(evidence.loss_ND, [[0.2, 0.5], [np.nan, 0.5]])
    np.testing.assert_allclose(evidence.early_ND, [[0.5, 0.5], [0.1, 0.5]], atol=1e-9)
    assert CONTEXT.name({"x": 0.7}) in evidence.names


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_goes_on_where_trials_were_stopped(name: str) -> None:
    chance = np.random.default_rng(0)
    trials = [
        trial_of(0.3 * x, x=x) if n % 2 else trial_of(0.3 * x, last=x, x=x)
        for n, x in enumerate(map(float, chance.uniform(size=30)))
    ]
    study = study_of(*trials)
    study.sampler = make_sampler(name, seed=0, options={}, context=CONTEXT)
    for _ in range(2):
        asked = study.ask()
        assert 0 <= asked.suggest_float("x", 0.0, 1.0) <= 1
        study.tell(asked, state=TrialState.PRUNED)
