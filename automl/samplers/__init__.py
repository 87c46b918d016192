"""Who proposes students: each an Optuna sampler, one line in the catalog."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from automl.samplers.fresh import FreshSampler
from search_spaces.imports import import_object


def _tpe(*, seed: int, **options: Any) -> BaseSampler:
    with warnings.catch_warnings():
        # `group` lets it model choices jointly although some are conditional; Optuna calls it experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            **{"multivariate": True, "group": True, "warn_independent_sampling": False, **options}, seed=seed
        )


def _nsga2(*, seed: int, **options: Any) -> BaseSampler:
    return NSGAIISampler(**{"population_size": 20, **options}, seed=seed)


def _random(*, seed: int, **options: Any) -> BaseSampler:
    return RandomSampler(**options, seed=seed)


SAMPLERS: dict[str, Callable[..., BaseSampler]] = {
    "tpe": _tpe,
    "nsga2": _nsga2,
    "random": _random,
}
"""Samplers by name. A name with a colon is imported, ``package.module:name``, and called with ``seed`` and options."""


def make_sampler(name: str, *, seed: int, options: Mapping[str, Any]) -> BaseSampler:
    """Make the sampler of a search.

    Args:
        name: In the catalog, or ``package.module:name``.
        seed: Of the search.
        options: Keyword arguments of the sampler.

    Raises:
        ValueError: The name is unknown, or the sampler does not take these options.
    """
    if ":" in name:
        factory = import_object(name)
    elif name in SAMPLERS:
        factory = SAMPLERS[name]
    else:
        raise ValueError(f"unknown sampler {name!r}; samplers are {sorted(SAMPLERS)}, or package.module:name")
    try:
        return FreshSampler(lambda trial_seed: factory(seed=trial_seed, **options), seed=seed)
    except TypeError as error:
        raise ValueError(f"sampler {name!r} does not take these options: {error}") from error


__all__ = ["SAMPLERS", "FreshSampler", "make_sampler"]
