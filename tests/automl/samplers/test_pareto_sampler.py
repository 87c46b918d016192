"""Our own sampler on searches whose answers are a formula."""

import math
from collections.abc import Mapping
from typing import Any

import moocore
import numpy as np
import optuna
import pytest

from automl.front.objectives import Objective
from automl.samplers import SearchContext, make_sampler
from automl.samplers.distributions import distribution_of
from automl.samplers.pareto.outlook import Outlook
from search_spaces import Categorical, Choice, Integer, Values, at_least, walk
from trials.records import Limit

CHOICES = (
    Choice(name="depth", domain=Integer(low=1, high=4)),
    *(
        Choice(name=f"layer{k}.width", domain=Integer(low=8, high=64, step=8), when=at_least("depth", k))
        for k in range(1, 5)
    ),
    Choice(name="block", domain=Categorical(options=("plain", "separable", "inverted"))),
    Choice(name="activation", domain=Categorical(options=("relu", "gelu"))),
)
ACCURACY = Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0, chance=0.1)
SIZE = Objective(metric="params", higher_is_better=False, worst=20_000.0, best=50.0, log=True)


def params(values: Values) -> float:
    widths = [int(values[f"layer{k}.width"]) for k in range(1, int(values["depth"]) + 1)]
    per_layer = {"plain": 9, "separable": 2, "inverted": 4}[str(values["block"])]
    return float(sum(one * other * per_layer for one, other in zip([4, *widths], widths, strict=False)))


def accuracy(values: Values) -> float:
    gain = {"plain": 0.9, "separable": 1.0, "inverted": 1.15}[str(values["block"])]
    bonus = 0.02 if values["activation"] == "gelu" else 0.0
    return min(0.99, 0.3 + bonus + 0.065 * gain * math.log(params(values)) - 0.02 * (int(values["depth"]) - 2) ** 2)


def search(
    sampler: str, *, trials: int, seed: int = 0, known: bool = True, limits: tuple[Limit, ...] = (), in_flight: int = 1
) -> list[Values]:
    """Search with so many in flight; give the points in the order in which they were proposed."""
    costs = (lambda values: {"params": params(values)}) if known else (lambda values: {})
    context = SearchContext(choices=CHOICES, objectives=(ACCURACY, SIZE), limits=limits, costs=costs)
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=make_sampler(sampler, seed=seed, options={}, context=context)
    )
    flying: list[tuple[optuna.Trial, Values]] = []
    proposed = []
    for _ in range(trials):
        if len(flying) == in_flight:
            trial, values = flying.pop(0)
            study.tell(trial, [accuracy(values), params(values)])
        trial = study.ask()
        values = walk(CHOICES, lambda choice, trial=trial: trial._suggest(choice.name, distribution_of(choice)))
        flying.append((trial, values))
        proposed.append(values)
    return proposed


def hypervolume(points: list[Values]) -> float:
    losses = [[ACCURACY.loss(accuracy(values)), SIZE.loss(params(values))] for values in points]
    return float(moocore.hypervolume(np.maximum(losses, 0), ref=np.ones(2)))


def different(points: list[Values]) -> int:
    return len({tuple(values.items()) for values in points})


@pytest.mark.parametrize(("known", "in_flight"), [(True, 1), (False, 1), (True, 4)])
def test_it_finds_more_than_chance_does_in_thrice_the_trials(known: bool, in_flight: int) -> None:
    for seed in range(2):
        ours = search("pareto", trials=30, seed=seed, known=known, in_flight=in_flight)
        assert hypervolume(ours) > hypervolume(search("random", trials=90, seed=seed))
        assert different(ours) == 30


def test_what_breaks_a_limit_on_a_known_cost_is_not_proposed() -> None:
    limit = Limit(metric="params", at_most=True, value=3000.0)
    assert max(params(values) for values in search("pareto", trials=25, limits=(limit,))) <= 3000


def test_a_measured_limit_that_nearly_all_break_is_learnt_from_students_that_were_refused() -> None:
    limit = Limit(metric="params", at_most=True, value=250.0)
    context = SearchContext(choices=CHOICES, objectives=(ACCURACY, SIZE), limits=(limit,))
    sampler = make_sampler("pareto", seed=0, options={}, context=context)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    kept = []
    for _ in range(40):
        trial = study.ask()
        values = walk(CHOICES, lambda choice, trial=trial: trial._suggest(choice.name, distribution_of(choice)))
        excess = params(values) / limit.value - 1
        trial.set_constraint(str(limit), excess)
        trial.set_user_attr("outcome", "infeasible" if excess > 0 else "trained")
        study.tell(trial, [ACCURACY.floor if excess > 0 else accuracy(values), params(values)])
        kept += [values] if excess <= 0 else []
    assert different(kept) == 10  # All that there are; of points at random one in twenty.


def test_it_proposes_all_of_a_small_space_before_anything_again() -> None:
    choices = (CHOICES[0], CHOICES[6])
    costs: Mapping[str, float] = {}
    context = SearchContext(choices=choices, objectives=(ACCURACY, SIZE), costs=lambda values: costs)
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=make_sampler("pareto", seed=0, options={}, context=context)
    )
    proposed = []
    for number in range(10):
        trial = study.ask()
        values = walk(choices, lambda choice, trial=trial: trial._suggest(choice.name, distribution_of(choice)))
        study.tell(trial, [0.5 + 0.01 * number, 100.0])
        proposed.append(values)
    assert different(proposed[:8]) == 8


def test_trials_that_failed_are_not_proposed_again_and_count_as_learning_nothing() -> None:
    context = SearchContext(
        choices=CHOICES, objectives=(ACCURACY, SIZE), costs=lambda values: {"params": params(values)}
    )
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=make_sampler("pareto", seed=0, options={}, context=context)
    )
    proposed = []
    for _ in range(30):
        trial = study.ask()
        values = walk(CHOICES, lambda choice, trial=trial: trial._suggest(choice.name, distribution_of(choice)))
        proposed.append(values)
        if values["block"] == "inverted":  # the best, if it did not always crash
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, [accuracy(values), params(values)])
    assert different(proposed) == 30
    assert sum(values["block"] == "inverted" for values in proposed[15:]) <= 5


def test_too_few_trials_to_begin_with_are_refused() -> None:
    context = SearchContext(choices=CHOICES, objectives=(ACCURACY, SIZE))
    with pytest.raises(ValueError, match="startup_trials must be at least 2, got 1"):
        make_sampler("pareto", seed=0, options={"startup_trials": 1}, context=context)


def test_candidates_for_one_trial_are_its_best_in_order_and_cost_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counted(Outlook):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(1)

    monkeypatch.setattr("automl.samplers.pareto.sampler.Outlook", Counted)
    context = SearchContext(
        choices=CHOICES, objectives=(ACCURACY, SIZE), costs=lambda values: {"params": params(values)}
    )
    sampler = make_sampler("pareto", seed=0, options={}, context=context)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(8):
        trial = study.ask()
        values = walk(CHOICES, lambda choice, trial=trial: trial._suggest(choice.name, distribution_of(choice)))
        study.tell(trial, [accuracy(values), params(values)])
    made.clear()
    running = study.ask()._cached_frozen_trial

    answers = [
        each.sample_relative(study, running, each.infer_relative_search_space(study, running))
        for each in (sampler, sampler.beside(1), sampler.beside(2))
    ]

    assert len(made) == 1
    assert different(answers) == 3
