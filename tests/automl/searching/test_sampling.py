"""What the sampler of a search is told of its space."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest

from automl.samplers import SearchContext
from automl.samplers.distributions import suggest
from automl.searching import sampling
from search_spaces import SPACES, Choice, Integer, Values, sample, walk


def test_a_space_s_features_are_asked_of_its_own_values_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Values] = []

    def features(values: Values) -> dict[str, float]:
        asked.append(values)
        return {"depth": 2.0}

    contexts: list[SearchContext] = []
    monkeypatch.setattr(sampling, "make_sampler", lambda *given, context, **options: contexts.append(context))
    for space in (replace(SPACES["mlp"](), features=features), SPACES["mlp"]()):
        prepared = SimpleNamespace(
            space=space,
            choices=space.choices,
            spec=lambda values, space=space: space.spec({k: v for k, v in values.items() if k != "epochs"}),
            config=SimpleNamespace(
                seed=0, limits=(), search=SimpleNamespace(sampler=SimpleNamespace(name="random", options={}))
            ),
        )
        sampling.sampler_of(prepared)
    values = sample(SPACES["mlp"]().choices, np.random.default_rng(0))
    assert contexts[0].features({**values, "epochs": 3}) == {"depth": 2.0}
    assert asked == [values]
    assert contexts[1].features(values) == {}


def test_the_rules_of_a_space_are_kept_whatever_the_recipe_adds() -> None:
    space = replace(SPACES["mlp"](), forbids=lambda values: "deep" if values["depth"] != 1 else "")
    choices = (*space.choices, Choice(name="epochs", domain=Integer(low=1, high=9)))
    names = {choice.name for choice in space.choices}
    prepared: Any = SimpleNamespace(
        space=space,
        choices=choices,
        spec=lambda values: space.spec({name: value for name, value in values.items() if name in names}),
        config=SimpleNamespace(
            seed=0, limits=(), search=SimpleNamespace(sampler=SimpleNamespace(name="random", options={}))
        ),
    )
    study = optuna.create_study(sampler=sampling.sampler_of(prepared))
    for _ in range(5):
        trial = study.ask()
        assert walk(choices, lambda choice, trial=trial: suggest(trial, choice))["depth"] == 1
        assert sampling._forbidden(prepared, {"depth": 99})
