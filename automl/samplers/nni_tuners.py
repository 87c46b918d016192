"""NNI's tuners as samplers: TPE, evolution, random and grid, of its last release, 3.0.

A tuner of NNI is one object from the start of a search to its end. Here it is made anew for each proposal and told the
search so far, so that a proposal depends on the seed, the trial's number and what was told, and on nothing else. It is
told of the points that were tried, in the order in which they ended, and of those that still run.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from optuna.samplers import BaseSampler

from automl.samplers.context import SearchContext
from automl.samplers.nni_evolution import Evolution
from automl.samplers.nni_parameters import Translation
from automl.samplers.nni_sampler import Asking, History, Tuner
from automl.samplers.options import takes_options_of
from automl.samplers.points import PointSampler
from search_spaces import Point


class Tpe:
    """NNI's TPE (Bergstra et al., 2011): each choice on its own, and a liar for trials that run.

    Args:
        translation: Of the search.
        context: Of the search.
        options: NNI's ``TpeArguments``.
    """

    def __init__(self, translation: Translation, context: SearchContext, **options: Any) -> None:
        del context
        self._translation = translation
        self._options = options
        self._made(0)

    def _made(self, seed: int) -> Any:
        from nni.algorithms.hpo.tpe_tuner import TpeTuner

        try:
            return _spaced(TpeTuner(optimize_mode="minimize", seed=seed, tpe_args=self._options), self._translation)
        except KeyError as error:
            raise ValueError(f"constant_liar_type must be best, worst or mean, got {error}") from error

    def propose(self, history: History) -> Point | None:
        """Model each choice by what was told of it."""
        tuner = self._made(history.seed)
        for each in history.all:
            # Not NNI's `import_data`: it knows no failures, and takes seconds for 1,000 trials.
            formatted, text = self._translation.formatted(each.values)
            tuner.dedup._history.add(text)
            tuner._running_params[each.number] = formatted
            if each.told is not None:
                tuner.receive_trial_result(each.number, None, each.told)
            elif each.ended:
                tuner.trial_end(each.number, False)
        return _asked(tuner, history.number, self._translation)


class Random:
    """NNI's random tuner, which proposes nothing twice where choices are finite.

    Args:
        translation: Of the search.
        context: Of the search.
    """

    def __init__(self, translation: Translation, context: SearchContext) -> None:
        del context
        self._translation = translation

    def propose(self, history: History) -> Point | None:
        """Draw a point."""
        from nni.algorithms.hpo.random_tuner import RandomTuner

        tuner = _spaced(RandomTuner(seed=history.seed), self._translation)
        tuner.dedup._history.update(self._translation.formatted(each.values)[1] for each in history.all)
        return _asked(tuner, history.number, self._translation)


class Grid:
    """NNI's grid search: all options, and numbers by halves, quarters, eighths of their range.

    The grid has one order, whatever is told: a trial gets the point of its number.

    Args:
        translation: Of the search.
        context: Of the search.
    """

    def __init__(self, translation: Translation, context: SearchContext) -> None:
        del context
        from nni.algorithms.hpo.gridsearch_tuner import GridSearchTuner

        self._translation = translation
        self._points: list[Point] = []
        self._tuner = GridSearchTuner()
        self._tuner.space = translation.specs
        if translation.specs:
            self._tuner._init_grid()

    def propose(self, history: History) -> Point | None:
        """Give the point; None after the last."""
        while len(self._points) <= history.number:
            if (point := _asked(self._tuner, history.number, self._translation)) is None:
                return None
            self._points.append(point)
        return self._points[history.number]


def _spaced(tuner: Any, translation: Translation) -> Any:
    """Give a tuner its search space, as ``update_search_space`` would, but with our conditions."""
    from nni.common.hpo_utils import Deduplicator

    tuner.space = translation.specs
    tuner.dedup = Deduplicator(translation.specs)
    return tuner


def _asked(tuner: Any, number: int, translation: Translation) -> Point | None:
    from nni import NoMoreTrialError

    if not translation.specs:  # A single point: NNI's grid search cannot be without a choice.
        return None
    try:
        return translation.point(tuner.generate_parameters(number))
    except NoMoreTrialError:
        return None


TUNERS: dict[str, Callable[..., Tuner]] = {
    "nni_tpe": Tpe,
    "nni_evolution": Evolution,
    "nni_random": Random,
    "nni_grid": Grid,
}
"""Each is made from the translation, the search's context, and options."""


def nni_maker(name: str, context: SearchContext) -> Callable[..., BaseSampler]:
    """Give what makes the sampler of a proposal, from a seed and options.

    What a tuner keeps is of its choices and options only, and is shared by all proposals.

    Args:
        name: In the catalog of tuners.
        context: Of the search.
    """
    translation = Translation(context.choices)
    made: dict[str, Tuner] = {}

    def sampler(*, seed: int, **options: Any) -> BaseSampler:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = TUNERS[name](translation, context, **options)
        return PointSampler(Asking(context, made[key], seed=seed), choices=context.choices, seed=seed)

    return takes_options_of(_taker(name, translation, context), sampler)


def _taker(name: str, translation: Translation, context: SearchContext) -> Callable[..., object]:
    """Give what takes the options of a tuner in the end."""
    if name == "nni_tpe":
        from nni.algorithms.hpo.tpe_tuner import TpeArguments

        taker: Callable[..., object] = TpeArguments
        return taker
    return partial(TUNERS[name], translation, context)
