"""How much each teacher counts on each sample: one method a file, one line in the catalog."""

from trials.weighting.confidence import confidence
from trials.weighting.entropy import entropy
from trials.weighting.fixed import fixed
from trials.weighting.weighting import Weighting, known_log_probabilities

WEIGHTINGS: dict[str, Weighting] = {
    "fixed": fixed,
    "entropy": entropy,
    "confidence": confidence,
}

__all__ = ["WEIGHTINGS", "Weighting", "known_log_probabilities"]
