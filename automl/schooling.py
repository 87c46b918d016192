"""What a teacher that is trained first is asked: a trial without teachers, on the rows that it covers."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from automl.preparation import Prepared, at, fixed_recipe
from search_spaces import SearchSpace, plain_digest
from teachers import Coverage
from teachers.digests import rows_digest
from trials.data import Dataset
from trials.records import Trial
from trials.student import Normalisation

FORMAT = 1
"""Goes up when training or export changes so much that teachers of earlier versions must not be taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Schooling:
    """How a teacher is trained.

    Args:
        space: Of its architecture.
        trial: What is asked.
        lessons: The data with the teacher's own rows in the training split, every label visible.
        options: Of its space, as the config gives them.
        task: Kind of task, as the config names it.
        statistics: By which its inputs are normalised; of all training rows, not of its own alone.
    """

    space: SearchSpace
    trial: Trial
    lessons: Dataset
    options: Mapping[str, object]
    task: str
    statistics: Normalisation | None

    def folder_name(self) -> str:
        """Name all that the trained teacher depends on."""
        lessons = self.lessons
        rows = rows_digest(lessons.inputs), rows_digest(lessons.labels), rows_digest(lessons.splits["train"])
        statistics = None if self.statistics is None else asdict(self.statistics)
        options = json.loads(json.dumps(dict(self.options), default=repr))
        names = list(lessons.class_names)
        return plain_digest([FORMAT, self.trial.digest, options, names, self.task, statistics, *rows])


def schooling(prepared: Prepared, position: int) -> Schooling:
    """Work out how the teacher at a position of the config, of kind ``train``, is trained.

    Raises:
        UserError: Its architecture, recipe or coverage does not fit.
    """
    config = prepared.config
    teacher = config.teachers[position]
    assert teacher.kind == "train"
    with at(config, "teachers", position, "student"):
        space = teacher.student.make_space()
        spec = space.spec(teacher.student.values)
    recipe = fixed_recipe(config, position, teacher)
    with at(config, "teachers", position, "covers"):
        lessons = home(prepared.dataset, prepared.coverages[teacher.name])
    trial = Trial(number=position, spec=spec, recipe=recipe, seed=config.seed)
    return Schooling(
        space=space,
        trial=trial,
        lessons=lessons,
        options=teacher.student.options,
        task=config.task.kind,
        statistics=prepared.setting.statistics,
    )


def home(dataset: Dataset, coverage: Coverage) -> Dataset:
    """Narrow the training rows to those that a teacher covers, as they are, with every label visible."""
    train = dataset.splits["train"]
    covered = coverage.rows(len(dataset), dataset.columns)[train]
    if coverage.labels is not None:
        covered &= np.isin(dataset.labels[train], coverage.labels)
    if not covered.any():
        raise ValueError("no training row is covered")
    splits = {**dataset.splits, "train": train[covered]}
    return replace(dataset, splits=splits, labelled=None, augmentation=None)
