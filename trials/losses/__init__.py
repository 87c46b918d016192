"""What a student loses where it differs from a teacher: one method a file, one line in the catalog."""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from search_spaces.imports import import_object
from trials.losses.afd import AttentionFeatureDistillation
from trials.losses.attention_transfer import AttentionTransfer
from trials.losses.ca_mkd_feature import ConfidenceAwareFeatures
from trials.losses.fcfd import FunctionConsistent
from trials.losses.hint import Hint
from trials.losses.kd import kd
from trials.losses.loss import Loss
from trials.losses.minilm import MiniLM
from trials.losses.standardisation import standardise, standardised
from trials.losses.tinybert import TinyBERT
from trials.recipe import LossTerm

LOSSES: dict[str, Callable[..., Any]] = {
    "kd": kd,
    "standardised_kd": standardised(kd),
    "hint": Hint,
    "attention_transfer": AttentionTransfer,
    "afd": AttentionFeatureDistillation,
    "fcfd": FunctionConsistent,
    "minilm": MiniLM,
    "tinybert": TinyBERT,
    "ca_mkd_feature": ConfidenceAwareFeatures,
}
"""Losses by name: functions, or classes of modules with learnt parts, which are made with the options of the term.

A name with a colon is imported instead: ``package.module:name``.
"""


def find_loss(name: str) -> Callable[..., Tensor]:
    """Look a loss up in the catalog, or import it.

    Raises:
        ValueError: There is none of this name.
    """
    if ":" in name:
        found = import_object(name)
        if not callable(found):
            raise ValueError(f"loss {name!r} must be a function or a class, got {type(found).__name__}")
        return found
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; losses are {sorted(LOSSES)}, or package.module:name")
    return LOSSES[name]


def loss_options(name: str) -> dict[str, object]:
    """Give the options of a loss with their defaults.

    Raises:
        ValueError: There is no loss of this name.
    """
    parameters = inspect.signature(find_loss(name)).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def bind(term: LossTerm) -> tuple[Loss, float]:
    """Make a term's loss ready to be called.

    Returns:
        The loss with its options bound, a module where it has learnt parts; and its temperature, 1 where it has none.

    Raises:
        ValueError: The loss or one of its options is unknown, or the temperature is not above 0.
    """
    options = loss_options(term.name)
    if unknown := sorted(set(term.options) - set(options)):
        raise ValueError(f"loss {term.name!r} has no option {unknown}; its options are {sorted(options)}")
    temperature = {**options, **term.options}.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < math.inf:
        raise ValueError(f"temperature of {term.name!r} must be a number above 0, got {temperature!r}")
    loss = find_loss(term.name)
    if isinstance(loss, type):
        return loss(**term.options), float(temperature)
    return functools.partial(loss, **term.options), float(temperature)


__all__ = ["LOSSES", "Loss", "bind", "find_loss", "kd", "loss_options", "standardise", "standardised"]
