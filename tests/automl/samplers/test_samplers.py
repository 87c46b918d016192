"""A sampler is found by its name, and made anew for each trial."""

import warnings
from typing import Any

import pytest
from optuna.samplers import NSGAIISampler, TPESampler

from automl.samplers import FreshSampler, SearchContext, make_sampler
from automl.samplers.fresh import trial_seed
from search_spaces import Categorical, Choice

CONTEXT = SearchContext(choices=(Choice(name="wide", domain=Categorical(options=(True, False))),), objectives=())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    known = "evolution, nni_evolution, nni_grid, nni_random, nni_tpe, nsga2, pareto, random, reinforce, tpe"
    with pytest.raises(ValueError, match=rf"unknown sampler 'tbe'; samplers are {known}, or package"):
        make_sampler("tbe", seed=0, options={}, context=CONTEXT)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.at_all:Sampler", "no module 'nowhere'"),
        ("optuna.samplers:TPESampled", "has no 'TPESampled'; did you mean.*TPESampler"),
        ("builtins:dict", r"must give a sampler of Optuna \(optuna.samplers.BaseSampler\), got \{'seed': 0\}"),
        ("math:pi", "cannot be made with seed and {}: 'float' object is not callable"),
    ],
)
def test_a_name_that_leads_to_no_sampler_is_told(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_sampler(name, seed=0, options={}, context=CONTEXT)


def test_what_a_sampler_says_of_its_options_reaches_the_user() -> None:
    with pytest.raises(ValueError, match="population_size"):
        make_sampler("nsga2", seed=0, options={"population_size": 1}, context=CONTEXT)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pareto", {"startup_trials": 2.5}, "startup_trials must be a whole number, got 2.5"),
        ("evolution", {"population_size": "many"}, "population_size must be a whole number, got 'many'"),
        ("evolution", {"crossover_probability": True}, "crossover_probability must be a number, got True"),
        ("reinforce", {"bins": 8.0}, r"bins must be a whole number, got 8\.0"),
        ("reinforce", {"learning_rate": float("nan")}, "learning_rate must be a number, got nan"),
        ("nni_evolution", {"population_size": 3.5}, "population_size must be a whole number, got 3.5"),
    ],
)
def test_an_option_of_another_type_is_told_before_the_search_begins(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_sampler(name, seed=0, options=options, context=CONTEXT)


@pytest.mark.parametrize("name", ["pareto", "tpe", "random"])
def test_an_option_that_a_sampler_does_not_take_is_told_in_words_of_the_config(name: str) -> None:
    with pytest.raises(ValueError, match=r"made with seed and \{'startup': 3\}: it takes no option 'startup'$"):
        make_sampler(name, seed=0, options={"startup": 3}, context=CONTEXT)
    with pytest.raises(ValueError, match="'seed' is none of its options: the search gives it"):
        make_sampler(name, seed=0, options={"seed": 3}, context=CONTEXT)


def test_options_of_the_config_win_over_the_house_s() -> None:
    own = make_sampler("tpe", seed=0, options={"multivariate": False, "group": False}, context=CONTEXT)._sampler
    assert isinstance(own, TPESampler)
    assert not own._multivariate
    own = make_sampler("nsga2", seed=0, options={"population_size": 7}, context=CONTEXT)._sampler
    assert isinstance(own, NSGAIISampler)
    assert own._population_size == 7


def test_making_an_experimental_sampler_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(make_sampler("tpe", seed=0, options={}, context=CONTEXT), FreshSampler)


def test_seeds_differ_by_search_trial_and_choice() -> None:
    seeds = [trial_seed(s, n, c) for s in (0, 1, 11) for n in (0, 1, 11, 111) for c in ("", "a", "b")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert trial_seed(3, 5) == trial_seed(3, 5)
