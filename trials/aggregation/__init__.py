"""How several teachers become one loss: one method a file, one line in the catalog."""

from trials.aggregation.aggregation import Aggregation
from trials.aggregation.comparison import Comparison, losses_of_each
from trials.aggregation.mean_of_logits import mean_of_logits
from trials.aggregation.mean_of_losses import mean_of_losses
from trials.aggregation.mean_of_probabilities import mean_of_probabilities

AGGREGATIONS: dict[str, Aggregation] = {
    "mean_of_losses": mean_of_losses,
    "mean_of_probabilities": mean_of_probabilities,
    "mean_of_logits": mean_of_logits,
}

SAME_CLASSES_ONLY = frozenset({"mean_of_probabilities", "mean_of_logits"})
"""Aggregations that cannot average teachers of different classes."""

__all__ = ["AGGREGATIONS", "SAME_CLASSES_ONLY", "Aggregation", "Comparison", "losses_of_each"]
