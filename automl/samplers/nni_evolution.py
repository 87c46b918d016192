"""NNI's evolution, replayed."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from automl.samplers.context import SearchContext
from automl.samplers.fresh import trial_seed
from automl.samplers.nni_parameters import Translation
from automl.samplers.nni_sampler import Heard, History
from search_spaces import Point

_TRIES = 50
"""Children that are looked at until one is not known."""


class Evolution:
    """NNI's evolution (after Real et al., 2017): of two at random the worse dies, and the better has a child.

    The tuner's steps are taken again, each by the chance of its own trial; the child is then the point that was tried.
    Where weights of objectives are drawn by proposal, those die that would have died under the weights of now.

    Args:
        translation: Of the search.
        context: Of the search.
        population_size: Points drawn at random first, and those that live at a time.
    """

    def __init__(self, translation: Translation, context: SearchContext, *, population_size: int = 32) -> None:
        if population_size < 2:
            raise ValueError(f"population_size must be at least 2, got {population_size}")
        self._translation = translation
        self._context = context
        self._size = population_size
        self._individuals: dict[tuple[object, ...], dict[str, Any]] = {}

    def propose(self, history: History) -> Point | None:
        """Take the steps of all trials so far, and the next one: again by other chance where its point is known."""
        if not self._translation.specs:
            return None
        with _global_random_kept():
            return self._proposed(self._replayed(history), history)

    def _proposed(self, tuner: Any, history: History) -> Point | None:
        known = history.names(self._context)
        for attempt in range(_TRIES):
            before = list(tuner.population)
            seed = trial_seed(self._context.seed, history.number, str(attempt or ""))
            tuner.random_state = np.random.RandomState(seed)
            point = self._translation.point(_step(tuner, history.number, seed))
            if self._context.name(point) not in known:
                return point
            del tuner.running_trials[history.number]
            if all(each.result is not None for each in before):
                tuner.population = before  # Nobody dies for a child that is not born.
        return None

    def _replayed(self, history: History) -> Any:
        tuner = self._begun()
        whole, part = (tuner.searchspace_json, tuner.space), _first_gene(tuner.searchspace_json)
        for each in history.all:
            seed = trial_seed(self._context.seed, each.number)
            # The child gives way to the point that was tried, so that most of it need not be made.
            tuner.searchspace_json, tuner.space = part
            _step(tuner, each.number, seed)
            tuner.searchspace_json, tuner.space = whole
            tuner.running_trials[each.number].config = self._individual(each, seed)
            if each.told is not None:
                tuner.receive_trial_result(each.number, None, each.told)
            elif each.ended:
                tuner.random_state = np.random.RandomState(seed)  # A point drawn at random takes its place.
                tuner.trial_end(each.number, False)
        return tuner

    def _begun(self) -> Any:
        from nni.algorithms.hpo.evolution_tuner import EvolutionTuner

        tuner = EvolutionTuner(optimize_mode="minimize", population_size=0)
        tuner.update_search_space(self._translation.genes())
        tuner.random_state = np.random.RandomState(self._context.seed % 2**32)  # NNI's own has no seed.
        for _ in range(self._size):
            tuner._random_generate_individual()
        tuner.population_size = self._size
        return tuner

    def _individual(self, heard: Heard, seed: int) -> dict[str, Any]:
        key = (heard.number, *heard.values.items())
        if key not in self._individuals:
            self._individuals[key] = self._translation.individual(heard.values, np.random.default_rng(seed))
        return self._individuals[key]


def _step(tuner: Any, number: int, seed: int) -> Any:
    if not tuner.population:  # More run at once than the population has: NNI would stop here.
        tuner._random_generate_individual()
    random.seed(seed)
    return tuner.generate_parameters(number)


def _first_gene(space: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    from nni.utils import json2space

    name = next(iter(space))
    part = {name: space[name]}
    return part, json2space(part)


@contextmanager
def _global_random_kept() -> Iterator[None]:
    """Leave Python's own generator, from which NNI's evolution draws, as it was."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
