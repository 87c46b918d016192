"""What a student is taught, and by whom."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL, EnsembleOutputs, TeacherEnsemble
from trials.aggregation import AGGREGATIONS, SAME_CLASSES_ONLY
from trials.data import Dataset
from trials.losses import bind
from trials.optimizing import OPTIMIZERS, SCHEDULES
from trials.recipe import HARD_LABEL, Recipe
from trials.tasks import Task
from trials.weighting import WEIGHTINGS


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What a student is taught, and by whom.

    Args:
        dataset: Its training split is used, with labels as a student may see them.
        task: Owns the loss against true labels.
        recipe: How to teach.
        seed: Of the order of rows and of dropout, at least 0.
        ensemble: Who the teachers are; None without teachers.
        teachers: Where they are heard; None without teachers.
        device: Where to train: ``cpu``, ``cuda``, or ``auto`` for ``cuda`` where there is one.
    """

    dataset: Dataset
    task: Task
    recipe: Recipe
    seed: int
    ensemble: TeacherEnsemble | None = None
    teachers: EnsembleOutputs | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Reject a recipe that names unknown methods, or that does not fit the teachers.

        Raises:
            ValueError: The message says what does not fit, and what would.
        """
        recipe = self.recipe
        _check_known("aggregation", recipe.aggregation, AGGREGATIONS)
        _check_known("weighting", recipe.weighting, WEIGHTINGS)
        _check_known("optimizer", recipe.optimizer, OPTIMIZERS)
        _check_known("schedule", recipe.schedule, SCHEDULES)
        for term in recipe.losses:
            if term.name != HARD_LABEL:
                bind(term)
        if not recipe.needs_teachers:
            return
        if self.ensemble is None or self.teachers is None:
            raise ValueError("the recipe has losses that listen to teachers, but there are no teachers")
        if recipe.aggregation in SAME_CLASSES_ONLY and any(group.classes is not None for group in self.ensemble.groups):
            raise ValueError(
                f"{recipe.aggregation} cannot average teachers that know only some classes; use mean_of_losses"
            )

    def rows(self) -> NDArray[np.int64]:
        """Training rows that teach anything: by their label, or by a teacher, where the recipe listens to them.

        Raises:
            ValueError: There is none.
        """
        train = self.dataset.splits["train"]
        useful = np.zeros(len(train), dtype=bool)
        if any(term.name == HARD_LABEL and term.weight > 0 for term in self.recipe.losses):
            useful |= self.dataset.student_labels[train] != MISSING_LABEL
        if self.recipe.needs_teachers and self.ensemble is not None:
            useful |= self.ensemble.rows_KN.any(dim=0).numpy()[train]
        if not useful.any():
            raise ValueError(
                "no training row teaches anything: none has a label or a teacher that the recipe's losses listen to"
            )
        return train[useful]


def _check_known(what: str, name: str, catalog: Collection[str]) -> None:
    if name not in catalog:
        raise ValueError(f"unknown {what} {name!r}; known are {sorted(catalog)}")
