"""Proposals that the rules of a space forbid are not tried."""

from typing import Any

import optuna
import pytest

from automl.front.objectives import Objective
from automl.samplers import SAMPLERS, SearchContext, make_sampler
from automl.samplers.allowed import AllowedProposals
from automl.samplers.distributions import suggest
from search_spaces import Categorical, Choice, Integer, Value, Values, at_least, walk

CHOICES = (
    Choice(name="width", domain=Categorical(options=(16, 24, 32, 40))),
    Choice(name="heads", domain=Integer(low=1, high=8)),
    Choice(name="depth", domain=Integer(low=1, high=8)),
    Choice(name="more", domain=Integer(low=1, high=8), when=at_least("depth", 4)),
)
CONTEXT = SearchContext(
    choices=CHOICES,
    objectives=(
        Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0),
        Objective(metric="params", higher_is_better=False, worst=1000.0, best=0.0),
    ),
)
OPTIONS: dict[str, dict[str, Any]] = {
    "tpe": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "evolution": {"population_size": 4, "tournament_size": 2},
    "nni_tpe": {"n_startup_jobs": 4},
    "nni_evolution": {"population_size": 4},
}


def rule(values: Values) -> str:
    """Forbid more than half of the points."""
    return "" if int(values["width"]) % int(values["heads"]) == 0 and int(values["heads"]) > 1 else "heads"


def proposed(name: str, *, seed: int = 0, trials: int = 8) -> list[dict[str, Value]]:
    sampler = make_sampler(name, seed=seed, options=OPTIONS.get(name, {}), context=CONTEXT)
    allowed = AllowedProposals(sampler, rule, context=CONTEXT)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=allowed)
    found = []
    for _ in range(trials):
        trial = study.ask()
        found.append(walk(CHOICES, lambda choice, trial=trial: suggest(trial, choice)))
        study.tell(trial, [int(found[-1]["depth"]) / 9, float(found[-1]["width"])])
    return found


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_sampler_proposes_what_the_rules_forbid(name: str) -> None:
    points = proposed(name)
    assert not any(map(rule, points))
    assert points == proposed(name)
    assert len({tuple(point.items()) for point in points}) > 6


def test_what_is_allowed_is_what_the_sampler_proposes() -> None:
    sampler = make_sampler("random", seed=0, options={}, context=CONTEXT)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    plain = []
    for _ in range(8):
        trial = study.ask()
        plain.append(walk(CHOICES, lambda choice, trial=trial: suggest(trial, choice)))
    same = [point == other for point, other in zip(plain, proposed("random"), strict=True)]
    assert same == [not rule(point) for point in plain]
    assert 0 < sum(same) < 8


def test_a_sampler_that_proposes_nothing_allowed_gives_way_to_chance() -> None:
    sampler = make_sampler("nni_grid", seed=0, options={}, context=CONTEXT)
    allowed = AllowedProposals(sampler, lambda values: "" if values["heads"] == 8 else "heads", context=CONTEXT)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=allowed)
    trial = study.ask()
    assert walk(CHOICES, lambda choice: suggest(trial, choice))["heads"] == 8
