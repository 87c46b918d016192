"""What the sampler of a search is told of its space."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from automl.samplers import SearchContext
from automl.searching import sampling
from search_spaces import SPACES, Values, sample


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
