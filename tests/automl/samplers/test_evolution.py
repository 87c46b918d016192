"""Regularised evolution on searches whose answers are a formula."""

from collections.abc import Sequence

import numpy as np
import optuna
import pytest

from automl.front.objectives import Objective
from automl.samplers import SearchContext, make_sampler
from automl.samplers.distributions import distribution_of
from automl.samplers.evolution import Evolution, standings_of
from automl.samplers.scalarised import Told
from search_spaces import Categorical, Choice, Values, walk
from tests.automl.samplers.test_pareto_sampler import different, hypervolume, search
from trials.records import Limit

CHOICES = tuple(Choice(name=f"gene{k}", domain=Categorical(options=("a", "b", "c", "d"))) for k in range(8))
OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.0, best=1.0, chance=0.0),
    Objective(metric="params", higher_is_better=False, worst=100.0, best=0.0),
)
CONTEXT = SearchContext(choices=CHOICES, objectives=OBJECTIVES)


def of(letters: str) -> dict[str, str]:
    return {f"gene{k}": letter for k, letter in enumerate(letters)}


def changes(one: Values, other: Values) -> int:
    return sum(one[name] != other[name] for name in one)


def child(ended: Sequence[tuple[str, float | None]], *, seed: int, **options: float) -> Values:
    """Propose after some trials: the genes and the accuracy of each, None where it failed."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    for letters, accuracy in ended:
        study.enqueue_trial(of(letters))
        trial = study.ask({choice.name: distribution_of(choice) for choice in CHOICES})
        if accuracy is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, [accuracy, 50.0])
    frozen = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
    frozen.number = len(ended)
    return Evolution(CONTEXT, seed=seed, **options)(study, frozen)  # type: ignore[arg-type]  # options are counts


def told(loss: tuple[float, float] | None, *, excess: float = 0.0) -> Told:
    return Told(number=0, values={}, loss_D=None if loss is None else np.array(loss), excess=excess)


def test_limits_come_before_the_front_and_failures_last() -> None:
    population = [
        told(None),
        told((0.1, 0.1), excess=0.5),
        told((0.9, 0.9), excess=0.2),
        told((0.8, 0.8)),  # beaten by the next three
        told((0.2, 0.6)),
        told((0.6, 0.2)),
        told((0.3, 0.4)),  # between those two on the front
    ]
    standings = standings_of(population)
    assert sorted(standings) == [standings[row] for row in (4, 5, 6, 3, 2, 1, 0)]
    assert standings[4] == standings[5] < standings[6] < standings[3]


def test_a_population_that_all_failed_or_broke_limits_has_an_order() -> None:
    assert standings_of([told(None), told((0.1, 0.1), excess=1.0)]) == [(2, 0.0), (1, 1.0)]


@pytest.mark.parametrize("seed", range(5))
def test_the_parent_is_the_champion_until_it_is_too_old(seed: int) -> None:
    ended = [("aaaaaaaa", 0.9), ("bbbbbbbb", 0.2), ("cccccccc", 0.1)]
    options = {"population_size": 3, "tournament_size": 3}
    champions = [changes(child(ended, seed=1000 * seed + n, **options), of("aaaaaaaa")) == 1 for n in range(20)]
    # Drawn with replacement, the champion is in a tournament of three with probability 1 - (2/3)³ = 0.70.
    assert 8 <= sum(champions) <= 19
    later = [*ended, ("dddddddd", 0.3)]
    children = [child(later, seed=1000 * seed + n, **options) for n in range(20)]
    assert min(changes(one, of("aaaaaaaa")) for one in children) > 1
    assert sum(changes(one, of("dddddddd")) == 1 for one in children) >= 8


def test_one_that_failed_is_a_parent_only_where_its_tournament_holds_no_other() -> None:
    ended = [("aaaaaaaa", None), ("bbbbbbbb", 0.1), ("cccccccc", None)]
    children = [child(ended, seed=n, population_size=3, tournament_size=3) for n in range(40)]
    assert 20 <= sum(changes(one, of("bbbbbbbb")) == 1 for one in children) < 40


def test_crossover_mixes_two_winners() -> None:
    ended = [("aaaaaaaa", 0.5), ("bbbbbbbb", 0.5)]
    options = {"population_size": 2, "tournament_size": 1}
    mixed = [child(ended, seed=n, crossover_probability=1.0, **options) for n in range(10)]
    assert any(min(changes(one, of("aaaaaaaa")), changes(one, of("bbbbbbbb"))) > 1 for one in mixed)
    plain = [child(ended, seed=n, **options) for n in range(10)]
    assert all(min(changes(one, of("aaaaaaaa")), changes(one, of("bbbbbbbb"))) == 1 for one in plain)


@pytest.mark.parametrize("in_flight", [1, 4])
def test_it_finds_more_than_chance_does_and_nothing_twice(in_flight: int) -> None:
    def mean(sampler: str) -> float:
        found = [search(sampler, trials=80, seed=seed, in_flight=in_flight) for seed in range(3)]
        assert sampler == "random" or all(different(points) == 80 for points in found)
        return float(np.mean([hypervolume(points) for points in found]))

    assert mean("evolution") > mean("random") + 0.02


def test_limits_are_kept_more_and_more() -> None:
    limit = Limit(metric="macs", at_most=True, value=3.0)
    context = SearchContext(choices=CHOICES, objectives=OBJECTIVES, limits=(limit,))

    def kept(sampler: str) -> float:
        study = optuna.create_study(
            directions=["maximize", "minimize"], sampler=make_sampler(sampler, seed=0, options={}, context=context)
        )
        found = []
        for _ in range(120):
            trial = study.ask({choice.name: distribution_of(choice) for choice in CHOICES})
            macs = float(sum(letter != "a" for letter in trial.params.values()))
            trial.set_constraint(str(limit), limit.excess({"macs": macs}) / limit.value)
            study.tell(trial, [macs / 8, 50.0])  # Who breaks the limit seems to be better.
            found.append(macs <= limit.value)
        return float(np.mean(found[60:]))

    assert kept("evolution") > kept("random") + 0.3


@pytest.mark.parametrize("sampler", ["evolution", "reinforce"])
def test_a_small_space_is_proposed_once_over_before_anything_again(sampler: str) -> None:
    context = SearchContext(choices=CHOICES[:2], objectives=OBJECTIVES)
    options = {"evolution": {"population_size": 4, "tournament_size": 2}, "reinforce": {"hidden_size": 8}}[sampler]
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=make_sampler(sampler, seed=0, options=options, context=context),
    )
    proposed: list[Values] = []
    for number in range(18):
        trial = study.ask()
        proposed.append(
            walk(context.choices, lambda choice, trial=trial: trial._suggest(choice.name, distribution_of(choice)))
        )
        study.tell(trial, [0.01 * number, 50.0])
    assert different(proposed[:16]) == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population_size": 1}, "population_size must be at least 2, got 1"),
        ({"tournament_size": 0}, r"tournament_size must lie from 1 to population_size \(40\), got 0"),
        ({"tournament_size": 41}, r"tournament_size must lie from 1 to population_size \(40\), got 41"),
        ({"crossover_probability": 1.5}, "crossover_probability must lie from 0 to 1, got 1.5"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_sampler("evolution", seed=0, options=options, context=CONTEXT)
