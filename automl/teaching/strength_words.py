"""How the strength of a teacher is said: at home and abroad, where there is a difference."""

from collections.abc import Mapping, Sequence

METRIC_WORDS = {"accuracy": "accuracy", "bits_per_byte": "bits a byte"}
"""What teachers are judged by, in words."""

PLACES = {"home": "at home", "abroad": "abroad"}
"""On the rows that a teacher covers, and on all others."""


def strength_in_words(metric: str, metrics: Mapping[str, float]) -> str:
    """Say how good a teacher is.

    Args:
        metric: One of ``METRIC_WORDS``.
        metrics: By place; a teacher of everything has nothing abroad.

    Returns:
        Such as ``accuracy 0.971``, or ``accuracy 0.984 at home, 0.602 abroad``; empty where nothing is known.
    """
    places = [place for place in PLACES if place in metrics]
    if not places:
        return ""
    if places == ["home"]:
        return f"{METRIC_WORDS[metric]} {metrics['home']:.3f}"
    return f"{METRIC_WORDS[metric]} " + ", ".join(f"{metrics[place]:.3f} {PLACES[place]}" for place in places)


def strength_columns(metric: str, all_metrics: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """Name the columns of a table of teachers, by place: without a word about the place where all cover everything.

    Args:
        metric: One of ``METRIC_WORDS``.
        all_metrics: Of each teacher, by place.
    """
    places = [place for place in PLACES if any(place in metrics for metrics in all_metrics)]
    if places == ["home"]:
        return {"home": METRIC_WORDS[metric]}
    return {place: f"{METRIC_WORDS[metric]} {PLACES[place]}" for place in places}
