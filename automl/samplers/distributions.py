"""Choices as Optuna names them."""

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import Categorical, Choice, Integer, Value


def distribution_of(choice: Choice) -> BaseDistribution:
    """Give Optuna's distribution over the values of a choice."""
    domain = choice.domain
    if isinstance(domain, Categorical):
        return CategoricalDistribution(list(domain.options))
    if isinstance(domain, Integer):
        return IntDistribution(domain.low, domain.high, step=domain.step, log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def suggest(trial: optuna.Trial, choice: Choice) -> Value:
    """Ask for the value of a choice in a trial; what is written of it already is given again."""
    domain = choice.domain
    if isinstance(domain, Categorical):
        found = trial.suggest_categorical(choice.name, list(domain.options))
        assert found is not None
        return found
    if isinstance(domain, Integer):
        return trial.suggest_int(choice.name, domain.low, domain.high, step=domain.step, log=domain.log)
    return trial.suggest_float(choice.name, domain.low, domain.high, log=domain.log)
