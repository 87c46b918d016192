"""Tasks: one file each."""

from trials.tasks.classification import Classification
from trials.tasks.task import Metric, Predictor, Task

TASKS: dict[str, type[Classification]] = {"classification": Classification}
"""Class by name in the config; each makes its task by ``for_dataset``."""

__all__ = ["TASKS", "Classification", "Metric", "Predictor", "Task"]
