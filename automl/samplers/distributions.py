"""Choices as Optuna names them."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import Categorical, Choice, Integer


def distribution_of(choice: Choice) -> BaseDistribution:
    """Give Optuna's distribution over the values of a choice."""
    domain = choice.domain
    if isinstance(domain, Categorical):
        return CategoricalDistribution(list(domain.options))
    if isinstance(domain, Integer):
        return IntDistribution(domain.low, domain.high, step=domain.step, log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)
