"""A sampler is found by its name, and made anew for each trial."""

import re
import warnings
from typing import Any

import pytest
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

from automl.samplers import FreshSampler, SearchContext, make_sampler
from automl.samplers.fresh import trial_seed
from search_spaces import Categorical, Choice
from trials.data.settings import SettingError

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
    ("name", "options", "at", "message"),
    [
        ("tpe", {"n_startup": 3}, "n_startup", "'tpe' has no option 'n_startup', did you mean 'n_startup_trials'?"),
        ("pareto", {"temper": 3}, "temper", "'pareto' has no option 'temper'; it has startup_trials"),
        ("random", {"draws": 3}, "draws", "'random' has no option 'draws'; it has none"),
        (
            "evolution",
            {"population": 3},
            "population",
            "did you mean 'population_size'? it has crossover_probability, population_size, tournament_size",
        ),
        (
            "reinforce",
            {"speed": 3},
            "speed",
            "it has baseline_decay, batch_size, bins, entropy_weight, hidden_size, learning_rate, penalty",
        ),
        ("reinforce", {"seed": 3}, "seed", "the seed of 'reinforce' follows from `seed` of the search; leave it out"),
        ("evolution", {"population_size": "ten"}, "population_size", "must be a whole number, got 'ten'"),
        ("evolution", {"population_size": True}, "population_size", "must be a whole number, got True"),
        ("tpe", {"group": "yes"}, "group", "group of 'tpe' must be true or false, got 'yes'"),
        ("nni_tpe", {"n_jobs": 3}, "n_jobs", "it has constant_liar_type, gamma, linear_forgetting, n_ei_candidates"),
        ("nni_grid", {"points": 3}, "points", "'nni_grid' has no option 'points'; it has none"),
        ("optuna.samplers:GPSampler", {"n_start": 3}, "n_start", "did you mean 'n_startup_trials'?"),
    ],
)
def test_a_wrong_option_is_told_at_its_place_with_those_that_there_are(
    name: str, options: dict[str, Any], at: str, message: str
) -> None:
    with pytest.raises(SettingError, match=re.escape(message)) as told:
        make_sampler(name, seed=0, options=options, context=CONTEXT)
    assert told.value.setting == ("options", at)


def test_options_that_a_config_cannot_hold_are_not_offered() -> None:
    with pytest.raises(SettingError) as told:
        make_sampler("tpe", seed=0, options={"x": 1}, context=CONTEXT)
    offered = str(told.value).split("it has ")[1].split(", ")
    assert "multivariate" in offered
    assert not {"seed", "gamma", "weights", "constraints_func"} & set(offered)


def test_nothing_stands_for_none_where_a_sampler_takes_it() -> None:
    make_sampler("nni_tpe", seed=0, options={"constant_liar_type": None}, context=CONTEXT)
    make_sampler("tpe", seed=0, options={"multivariate": None}, context=CONTEXT)


def needs_more(strength: int, seed: int) -> RandomSampler:
    return RandomSampler(seed=seed + strength)


def test_a_sampler_of_the_user_s_that_needs_more_is_told() -> None:
    message = r"takes \(strength: int, seed: int\) .*is called with seed and its options: missing .* 'strength'"
    with pytest.raises(ValueError, match=message):
        make_sampler(f"{__name__}:needs_more", seed=0, options={}, context=CONTEXT)
    make_sampler(f"{__name__}:needs_more", seed=0, options={"strength": 2}, context=CONTEXT)


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
