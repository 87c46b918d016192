"""Tasks: one file each."""

from trials.tasks.classification import Classification
from trials.tasks.language_modelling import LanguageModelling, metrics_of_language
from trials.tasks.task import Metric, Predictor, Task

TASKS: dict[str, type[Classification] | type[LanguageModelling]] = {
    "classification": Classification,
    "language_modelling": LanguageModelling,
}
"""Class by name in the config."""

METRICS: dict[str, tuple[Metric, ...]] = {
    "classification": Classification(("0", "1")).metrics,
    "language_modelling": metrics_of_language(2),
}
"""Metrics of each task by its name; their names and directions do not depend on the data, their chance does."""

__all__ = ["METRICS", "TASKS", "Classification", "LanguageModelling", "Metric", "Predictor", "Task"]
