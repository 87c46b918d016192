"""Who proposes students: each an Optuna sampler, one line in the catalog."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.samplers.nsgaii._elite_population_selection_strategy import (  # The one that NSGA-II takes by itself.
    NSGAIIElitePopulationSelectionStrategy,
)
from optuna.trial import FrozenTrial

from automl.samplers.context import SearchContext
from automl.samplers.evolution import Evolution
from automl.samplers.fresh import FreshSampler
from automl.samplers.options import check_options, takes_options_of
from automl.samplers.pareto import Memory, Pareto
from automl.samplers.points import PointSampler
from search_spaces.imports import import_object

Maker = Callable[..., BaseSampler]
"""Makes the sampler of one proposal from ``seed`` and options."""


def _pareto(context: SearchContext) -> Maker:
    return _proposing(partial(Pareto, Memory(context)), context)


def _evolution(context: SearchContext) -> Maker:
    return _proposing(partial(Evolution, context), context)


def _reinforce(context: SearchContext) -> Maker:
    # Loads torch, which who only reads a study need not have.
    from automl.samplers.reinforce import Memory, Reinforce, Teaching

    return _proposing(partial(Reinforce, Memory(context)), context, takes=Teaching)


def _proposing(
    propose: Callable[..., Any], context: SearchContext, *, takes: Callable[..., object] | None = None
) -> Maker:
    """Make a sampler of what proposes whole points, from ``seed`` and options: its own, or those that ``takes`` has."""

    def make(*, seed: int, **options: Any) -> BaseSampler:
        return PointSampler(propose(seed=seed, **options), choices=context.choices, seed=seed)

    return takes_options_of(takes or propose, make)


def _tpe(context: SearchContext) -> Maker:
    del context
    # `group` lets it model choices jointly although some are conditional.
    return partial(TPESampler, multivariate=True, group=True)


def _nsga2(context: SearchContext) -> Maker:
    del context
    return takes_options_of(NSGAIISampler, _seeded_nsga2)


def _seeded_nsga2(*, seed: int, population_size: int = 20, **options: Any) -> BaseSampler:
    select = NSGAIIElitePopulationSelectionStrategy(population_size=population_size)

    def parents(study: optuna.Study, population: list[FrozenTrial]) -> list[FrozenTrial]:
        # The first trial of a generation takes parents as they were selected, those after it read them from the study
        # by number. In one order always, a proposal that is cut off between the two goes on as it would have gone.
        return sorted(select(study, population), key=lambda trial: trial.number)

    strategies = {"elite_population_selection_strategy": parents, **options}
    return NSGAIISampler(population_size=population_size, seed=seed, **strategies)


def _nni(name: str, context: SearchContext) -> Maker:
    from automl.samplers.nni_tuners import nni_maker  # NNI takes seconds to import; most searches do without it.

    return nni_maker(name, context)


def _random(context: SearchContext) -> Maker:
    del context
    return RandomSampler


SAMPLERS: dict[str, Callable[[SearchContext], Maker]] = {
    "pareto": _pareto,
    "evolution": _evolution,
    "reinforce": _reinforce,
    "tpe": _tpe,
    "nsga2": _nsga2,
    "random": _random,
    "nni_tpe": partial(_nni, "nni_tpe"),
    "nni_evolution": partial(_nni, "nni_evolution"),
    "nni_random": partial(_nni, "nni_random"),
    "nni_grid": partial(_nni, "nni_grid"),
}
"""Samplers by name. A name with a colon is imported, ``package.module:name``, and called with ``seed`` and options."""


_RANKED = frozenset({"pareto"})
"""Those that sort candidates, and give the second best when asked for it."""


def make_sampler(name: str, *, seed: int, options: Mapping[str, Any], context: SearchContext) -> FreshSampler:
    """Make the sampler of a search.

    Args:
        name: In the catalog, or ``package.module:name``.
        seed: Of the search.
        options: Keyword arguments of the sampler.
        context: What there is to search.

    Raises:
        ValueError: The name is unknown, or the sampler does not take these options; told at the option, where one is to
            blame.
    """
    if ":" in name:
        make: Any = import_object(name)
    elif name in SAMPLERS:
        make = SAMPLERS[name](replace(context, seed=seed))
    else:
        raise ValueError(
            f"unknown sampler {name!r}; samplers are {', '.join(sorted(SAMPLERS))}, or package.module:name"
        )
    check_options(name, make, options)
    try:
        return FreshSampler(
            lambda trial_seed: _made(name, make, seed=trial_seed, options=options),
            seed=seed,
            remembers=":" in name,
            make_next=None
            if name not in _RANKED
            else lambda trial_seed, rank: _made(name, make, seed=trial_seed, options={**options, "rank": rank}),
        )
    except (TypeError, ImportError) as error:
        raise ValueError(f"sampler {name!r} cannot be made with seed and {dict(options)}: {error}") from error


def _made(name: str, make: Maker, *, seed: int, options: Mapping[str, Any]) -> BaseSampler:
    with warnings.catch_warnings():
        # Whoever names a sampler need not hear at each trial that Optuna calls it experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made = make(seed=seed, **options)
    if not isinstance(made, BaseSampler):
        raise ValueError(f"{name!r} must give a sampler of Optuna (optuna.samplers.BaseSampler), got {made!r}")
    return made


__all__ = ["SAMPLERS", "FreshSampler", "SearchContext", "make_sampler"]
