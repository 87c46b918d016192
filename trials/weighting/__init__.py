"""How much each teacher counts on each sample: one method a file, one line in the catalog."""

from trials.weighting.confidence import confidence
from trials.weighting.entropy import entropy
from trials.weighting.fixed import fixed
from trials.weighting.learnt import Learnt
from trials.weighting.weighting import LearntWeighting, Weighting, known_log_probabilities

WEIGHTINGS: dict[str, Weighting | type[LearntWeighting]] = {
    "fixed": fixed,
    "entropy": entropy,
    "confidence": confidence,
    "learnt": Learnt,
}
"""Weightings by name: functions, or classes of modules, which are made for K teachers and trained with the student."""


def make_weighting(name: str, num_teachers: int) -> Weighting:
    """Look a weighting up, and make it for K teachers where it is a class."""
    weigh = WEIGHTINGS[name]
    return weigh(num_teachers) if isinstance(weigh, type) else weigh


def needs_labels(name: str) -> bool:
    """Tell whether a weighting can do nothing without any label."""
    return bool(getattr(WEIGHTINGS[name], "needs_labels", False))


__all__ = [
    "WEIGHTINGS",
    "LearntWeighting",
    "Weighting",
    "known_log_probabilities",
    "make_weighting",
    "needs_labels",
]
