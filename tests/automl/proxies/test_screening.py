"""Which of several candidates a proxy chooses."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from automl.proxies.screening import Screening
from automl.run import ProxyUse
from search_spaces import Choice, Real, Values
from trials.records import Outcome

CHOICES = (
    Choice(name="width", domain=Real(low=10.0, high=1000.0, log=True)),
    Choice(name="shape", domain=Real(low=0.0, high=1.0)),
)
USE = ProxyUse(name="naswot", candidates=3, followed=("synflow",))


class Growing:
    """A score that grows with size, and a little with shape; shapes above 0.9 have none."""

    def __call__(self, values: Values, names: Collection[str]) -> dict[str, float]:
        width, shape = float(values["width"]), float(values["shape"])
        scores = {"params": width, "synflow": 1.0, "naswot": 10 * np.log(width) + shape}
        return {name: scores[name] for name in names if name != "naswot" or shape <= 0.9}


def screening(say: Any = print, trial: Any = lambda number, values: values, scorer: Any = None) -> Screening:
    prepared: Any = SimpleNamespace(
        task=SimpleNamespace(metrics=[SimpleNamespace(name="accuracy", higher_is_better=True)]),
        config=SimpleNamespace(seed=0),
        choices=CHOICES,
        space=SimpleNamespace(forbids=None),
        trial=trial,
    )
    return Screening(prepared, USE, scorer or Growing(), say=say)


def test_the_highest_for_its_size_is_chosen_not_the_largest() -> None:
    candidates = [{"width": 900.0, "shape": 0.1}, {"width": 20.0, "shape": 0.8}, {"width": 300.0, "shape": 0.3}]
    assert screening().choose(candidates) == 1
    assert screening().choose(candidates[::2]) == 1
    assert screening().choose(candidates[:1]) == 0


def test_one_without_a_score_counts_as_one_like_all_of_its_size() -> None:
    without = {"width": 500.0, "shape": 0.95}
    assert screening().choose([{"width": 900.0, "shape": 0.0}, without]) == 1
    assert screening().choose([without, {"width": 20.0, "shape": 0.9}]) == 1
    nothing = screening(scorer=lambda values, names: {})
    assert nothing.choose([without, {"width": 20.0, "shape": 0.9}]) == 0


def test_one_that_the_space_forbids_comes_last() -> None:
    def trial(number: int, values: Values) -> Values:
        del number
        if values == {"width": 100.0, "shape": 0.5}:
            raise ValueError("forbidden")
        return values

    assert screening(trial=trial).choose([{"width": 100.0, "shape": 0.5}, {"width": 900.0, "shape": 0.0}]) == 1


def test_all_scores_are_kept_that_are_followed() -> None:
    trial: Any = {"width": 50.0, "shape": 0.5}
    assert list(screening().scores(trial)) == ["params", "naswot", "synflow"]


def test_a_proxy_that_shows_no_lead_is_told_once_and_leaves_all_to_the_sampler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("automl.proxies.judge.JUDGED_FROM", 5)
    told: list[str] = []
    watched = screening(told.append)
    assert watched.num_candidates() == watched.most == 3
    standing: Any = None
    for number in range(30):
        metrics = {"accuracy": 0.01 * number}
        finished: Any = SimpleNamespace(
            trial=SimpleNamespace(number=number),
            result=SimpleNamespace(
                outcome=Outcome.TRAINED, digest=str(number), candidates=[SimpleNamespace(metrics=metrics)]
            ),
            proxies={"params": float(number), "naswot": -float(number)},
        )
        watched.on_finished(finished, standing)
    assert watched.num_candidates() == 1
    (text,) = told
    assert text.startswith("the proxy naswot is off, since it is not shown to beat params: over 5 trained students")
