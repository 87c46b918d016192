"""How several teachers become one loss: one method a file, one line in the catalog."""

from teachers import TeacherEnsemble
from trials.aggregation.aekd import aekd
from trials.aggregation.aggregation import Aggregation, Traits, traits_of, with_traits
from trials.aggregation.comparison import Comparison, losses_of_each, weighted_losses
from trials.aggregation.concatenated_logits import concatenated_logits
from trials.aggregation.mean_of_logits import mean_of_logits
from trials.aggregation.mean_of_losses import mean_of_losses
from trials.aggregation.mean_of_probabilities import mean_of_probabilities
from trials.aggregation.mimic_all import HEADS, mimic_all

AGGREGATIONS: dict[str, Aggregation] = {
    "mean_of_losses": mean_of_losses,
    "mean_of_probabilities": mean_of_probabilities,
    "mean_of_logits": mean_of_logits,
    "mimic_all": mimic_all,
    "aekd": aekd,
    "concatenated_logits": concatenated_logits,
}


def misfit(name: str, ensemble: TeacherEnsemble) -> str:
    """Say why an aggregation cannot take the teachers of an ensemble, and what to use instead.

    Args:
        name: In the catalog.
        ensemble: The teachers.

    Returns:
        A sentence that starts with the name; nothing where they fit.
    """
    for requirement in traits_of(AGGREGATIONS[name]).requires:
        if reason := requirement(ensemble):
            return f"{name} {reason}"
    return ""


__all__ = [
    "AGGREGATIONS",
    "HEADS",
    "Aggregation",
    "Comparison",
    "Traits",
    "losses_of_each",
    "misfit",
    "traits_of",
    "weighted_losses",
    "with_traits",
]
