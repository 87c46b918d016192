"""What a student loses where it differs from a teacher: one method a file, one line in the catalog."""

import functools
import inspect
import math
from collections.abc import Callable

from torch import Tensor, nn

from search_spaces.imports import import_object
from trials.losses.afd import AttentionFeatureDistillation
from trials.losses.attention_transfer import AttentionTransfer
from trials.losses.ca_mkd_feature import ConfidenceAwareFeatures
from trials.losses.cluster_relation import ClusterRelation
from trials.losses.dist import dist
from trials.losses.dkd import dkd
from trials.losses.fcfd import FunctionConsistent
from trials.losses.hint import Hint
from trials.losses.jsd import jsd
from trials.losses.kd import kd
from trials.losses.loss import Loss, Needs, Pairing, RunnableTeacher, batch_statistic, is_batch_statistic
from trials.losses.minilm import MiniLM
from trials.losses.reverse_kl import reverse_kl
from trials.losses.rkd import RKD
from trials.losses.skew_kl import skew_kl
from trials.losses.skew_reverse_kl import skew_reverse_kl
from trials.losses.sp import SP
from trials.losses.standardisation import standardise, standardised
from trials.losses.tinybert import TinyBERT
from trials.recipe import LossTerm

LOSSES: dict[str, Callable[..., Tensor] | type[nn.Module]] = {
    "kd": kd,
    "dkd": dkd,
    "dist": dist,
    "standardised_kd": standardised(kd),
    "standardised_dkd": standardised(dkd),
    "standardised_dist": standardised(dist),
    "reverse_kl": reverse_kl,
    "jsd": jsd,
    "skew_kl": skew_kl,
    "skew_reverse_kl": skew_reverse_kl,
    "rkd": RKD,
    "sp": SP,
    "cluster_relation": ClusterRelation,
    "hint": Hint,
    "attention_transfer": AttentionTransfer,
    "afd": AttentionFeatureDistillation,
    "fcfd": FunctionConsistent,
    "minilm": MiniLM,
    "tinybert": TinyBERT,
    "ca_mkd_feature": ConfidenceAwareFeatures,
}
"""Losses by name: functions of logits, or classes of modules, which read features or have learnt parts.

A name with a colon is imported instead: ``package.module:name``.
"""


def find_loss(name: str) -> Callable[..., Tensor] | type[nn.Module]:
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
        raise ValueError(f"unknown loss {name!r}; losses are {', '.join(sorted(LOSSES))}, or package.module:name")
    return LOSSES[name]


def loss_options(name: str) -> dict[str, object]:
    """Give the options of a loss with their defaults.

    Raises:
        ValueError: There is no loss of this name.
    """
    parameters = inspect.signature(find_loss(name)).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def needs_of(term: LossTerm) -> Needs:
    """Say what a term's loss reads beside logits.

    Raises:
        ValueError: The loss or one of its options is unknown or out of range.
    """
    _check_options(term)
    loss = find_loss(term.name)
    if not isinstance(loss, type) or not hasattr(loss, "needs"):
        return Needs()
    needs: Needs = loss.needs(**term.options)
    return needs


def temperature_of(term: LossTerm) -> float:
    """Give the temperature of a term's loss, 1 where it has none.

    Raises:
        ValueError: The loss or one of its options is unknown, or the temperature is not above 0.
    """
    _check_options(term)
    temperature = {**loss_options(term.name), **term.options}.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < math.inf:
        raise ValueError(f"temperature of {term.name!r} must be a number above 0, got {temperature!r}")
    return float(temperature)


def bind(term: LossTerm, pairing: Pairing | None = None) -> Loss:
    """Make a term's loss ready to be called.

    Args:
        term: Names the loss and its options.
        pairing: For whom; a class needs it, a function does not.

    Returns:
        The loss with its options bound, a module where it is a class.

    Raises:
        ValueError: The loss or one of its options is unknown, or it does not fit the pairing.
    """
    _check_options(term)
    loss = find_loss(term.name)
    if isinstance(loss, type):
        assert pairing is not None, f"{term.name} is a class, which is made for a student and its teachers"
        made: Loss = loss(pairing, **term.options)
        return made
    return functools.partial(loss, **term.options)


def _check_options(term: LossTerm) -> None:
    options = loss_options(term.name)
    if unknown := sorted(set(term.options) - set(options)):
        raise ValueError(
            f"loss {term.name!r} has no option {', '.join(unknown)}; its options are {', '.join(sorted(options))}"
        )


__all__ = [
    "LOSSES",
    "Loss",
    "Needs",
    "Pairing",
    "RunnableTeacher",
    "batch_statistic",
    "bind",
    "find_loss",
    "is_batch_statistic",
    "loss_options",
    "needs_of",
    "standardise",
    "standardised",
    "temperature_of",
]
