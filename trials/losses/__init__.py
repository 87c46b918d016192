"""What a student loses where it differs from a teacher: one method a file, one line in the catalog."""

import functools
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from search_spaces.imports import import_object
from trials.losses.afd import AttentionFeatureDistillation
from trials.losses.attention_transfer import AttentionTransfer
from trials.losses.ca_mkd_feature import ConfidenceAwareFeatures
from trials.losses.cluster_relation import ClusterRelation
from trials.losses.dist import dist
from trials.losses.dkd import dkd
from trials.losses.fcfd import FunctionConsistent
from trials.losses.forward_kl import forward_kl
from trials.losses.hint import Hint
from trials.losses.jsd import jsd
from trials.losses.kd import kd
from trials.losses.loss import (
    Loss,
    Needs,
    Pairing,
    RunnableTeacher,
    batch_statistic,
    compares_teachers,
    fact_key,
    is_batch_statistic,
    reads_votes,
    token_weights_of,
)
from trials.losses.minilm import MiniLM
from trials.losses.options import Bounds, bounded, check_options, options_of
from trials.losses.reverse_kl import reverse_kl
from trials.losses.rkd import RKD
from trials.losses.skew_kl import skew_kl
from trials.losses.skew_reverse_kl import skew_reverse_kl
from trials.losses.sp import SP
from trials.losses.standardisation import standardise, standardised
from trials.losses.structure_attention import StructureAttention
from trials.losses.syntax_aware import syntax_aware
from trials.losses.tinybert import TinyBERT
from trials.losses.uld import ULD
from trials.recipe import LossTerm

LOSSES: dict[str, Callable[..., Tensor] | type[nn.Module]] = {
    "kd": kd,
    "dkd": dkd,
    "dist": dist,
    "standardised_kd": standardised(kd),
    "standardised_dkd": standardised(dkd),
    "standardised_dist": standardised(dist),
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "jsd": jsd,
    "skew_kl": skew_kl,
    "skew_reverse_kl": skew_reverse_kl,
    "syntax_forward_kl": syntax_aware(forward_kl),
    "syntax_reverse_kl": syntax_aware(reverse_kl),
    "syntax_jsd": syntax_aware(jsd),
    "syntax_skew_kl": syntax_aware(skew_kl),
    "rkd": RKD,
    "sp": SP,
    "cluster_relation": ClusterRelation,
    "hint": Hint,
    "attention_transfer": AttentionTransfer,
    "afd": AttentionFeatureDistillation,
    "fcfd": FunctionConsistent,
    "minilm": MiniLM,
    "tinybert": TinyBERT,
    "structure_attention": StructureAttention,
    "ca_mkd_feature": ConfidenceAwareFeatures,
    "uld": ULD,
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
    return options_of(find_loss(name))


def needs_of(term: LossTerm) -> Needs:
    """Say what a term's loss reads beside logits.

    Raises:
        ValueError: The loss or one of its options is unknown or out of range.
    """
    loss = find_loss(term.name)
    check_options(term.name, loss, term.options)
    if not isinstance(loss, type) or not hasattr(loss, "needs"):
        weights = token_weights_of(loss)
        return Needs(facts=() if weights is None else weights.facts)
    needs: Needs = loss.needs(**term.options)
    return needs


def is_of_tokens(term: LossTerm) -> bool:
    """Tell whether a term that reads features of teachers has a value for each token, as losses on logits have.

    Raises:
        ValueError: There is no loss of this name.
    """
    return bool(getattr(find_loss(term.name), "of_tokens", False))


def temperature_of(term: LossTerm) -> float:
    """Give the temperature of a term's loss, 1 where it has none.

    Raises:
        ValueError: The loss or one of its options is unknown or out of range.
    """
    loss = find_loss(term.name)
    check_options(term.name, loss, term.options)
    temperature = {**options_of(loss), **term.options}.get("temperature", 1.0)
    if not isinstance(temperature, int | float):
        raise ValueError(f"loss {term.name!r} has no default temperature; give it one, or give the option")
    return float(temperature)


def token_weigher(term: LossTerm) -> Callable[[Mapping[str, Tensor]], Tensor] | None:
    """Give what turns facts of tokens into their weights in the mean of a term; None where all count alike.

    Raises:
        ValueError: The loss or one of its options is unknown or out of range.
    """
    loss = find_loss(term.name)
    check_options(term.name, loss, term.options)
    weights = token_weights_of(loss)
    if weights is None:
        return None
    own = {name: value for name, value in term.options.items() if name in weights.options}
    return functools.partial(weights.weigh, **own)


def bind(term: LossTerm, pairing: Pairing | None = None) -> Loss:
    """Make a term's loss ready to be called.

    Args:
        term: Names the loss and its options.
        pairing: For whom; a class needs it, a function does not.

    Returns:
        The loss with its options bound, a module where it is a class.

    Raises:
        ValueError: The loss or one of its options is unknown or out of range, or it does not fit the pairing.
    """
    loss = find_loss(term.name)
    check_options(term.name, loss, term.options)
    if isinstance(loss, type):
        assert pairing is not None, f"{term.name} is a class, which is made for a student and its teachers"
        made: Loss = loss(pairing, **term.options)
        return made
    return functools.partial(loss, **term.options)


__all__ = [
    "LOSSES",
    "Bounds",
    "Loss",
    "Needs",
    "Pairing",
    "RunnableTeacher",
    "batch_statistic",
    "bind",
    "bounded",
    "compares_teachers",
    "fact_key",
    "find_loss",
    "is_batch_statistic",
    "is_of_tokens",
    "loss_options",
    "needs_of",
    "reads_votes",
    "standardise",
    "standardised",
    "temperature_of",
    "token_weigher",
]
