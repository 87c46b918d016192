"""What a teacher that is trained first is asked: a trial without teachers, on the rows that it covers."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from automl.errors import UserError
from automl.preparation.prepare import Prepared, at, fixed_recipe
from search_spaces import SearchSpace, StudentSpec, plain_digest
from teachers import Coverage
from teachers.digests import rows_digest
from trials.data import Dataset
from trials.reading import LENGTH_CHOICE, Reading
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
        reading: How it reads texts; None where the inputs are numbers.
    """

    space: SearchSpace
    trial: Trial
    lessons: Dataset
    options: Mapping[str, object]
    task: str
    statistics: Normalisation | None
    reading: Reading | None

    def folder_name(self) -> str:
        """Name all that the trained teacher depends on."""
        lessons = self.lessons
        rows = rows_digest(lessons.inputs), rows_digest(lessons.labels), rows_digest(lessons.splits["train"])
        statistics = None if self.statistics is None else asdict(self.statistics)
        options = json.loads(json.dumps(dict(self.options), default=repr))
        names = list(lessons.class_names)
        reading = self.reading
        read = [] if reading is None else [rows_digest([reading.tokenizer.definition]), reading.length]
        return plain_digest([FORMAT, self.trial.digest, options, names, self.task, statistics, *rows, *read])

    def is_alike(self, other: "Schooling") -> bool:
        """Say whether the same is asked of both, of one search, with the same seed."""
        rows, others = self.lessons.splits["train"], other.lessons.splits["train"]
        same = self.trial.digest == other.trial.digest and self.options == other.options
        return same and np.array_equal(rows, others)


def schooling(prepared: Prepared, position: int) -> Schooling:
    """Work out how the teacher at a position of the config, of kind ``train``, is trained.

    Raises:
        UserError: Its architecture, recipe or coverage does not fit; or another one is trained alike with its seed.
    """
    asked = _asked(prepared, position)
    _require_fit(prepared, position, asked.space, asked.trial.spec)
    return replace(asked, trial=replace(asked.trial, seed=_seed(prepared, position, asked)))


def _require_fit(prepared: Prepared, position: int, space: SearchSpace, spec: StudentSpec) -> None:
    """Make sure that a teacher can be built for the data, and reads whole rows of tokens.

    Raises:
        UserError: It cannot, or does not.
    """
    config, dataset, read = prepared.config, prepared.dataset, spec.values.get(LENGTH_CHOICE)
    place = ("teachers", position, "student")
    with at(config, *place):
        try:
            with torch.device("meta"):  # Nothing is computed, and no memory taken.
                space.build(spec, prepared.setting.signature_of(spec))
        except ValueError as error:
            raise ValueError(f"space {space.name!r} cannot build this teacher: {error}") from error
        except Exception:  # What code of the user's cannot do without memory, it may do with it.
            return
    length = int(dataset.labels.shape[1]) if dataset.of_tokens else 0
    if isinstance(read, int) and read < length:
        raise UserError(
            f"rows have {length} tokens, as task.length says, and this teacher reads {read}; let it be {length} or "
            "more",
            place=config.place(*place, "values", LENGTH_CHOICE),
        )


def _asked(prepared: Prepared, position: int) -> Schooling:
    """Say what a teacher is asked, with the search's seed."""
    config = prepared.config
    teacher = config.teachers[position]
    assert teacher.kind == "train"
    with at(config, "teachers", position, "student"):
        space = teacher.student.make_space()
        spec = space.spec(teacher.student.values)
    recipe = fixed_recipe(config, position, teacher)
    with at(config, "teachers", position, "covers"):
        lessons = home(prepared.dataset, prepared.coverages[teacher.name])
    return Schooling(
        space=space,
        trial=Trial(number=position, spec=spec, recipe=recipe, seed=config.seed),
        lessons=lessons,
        options=teacher.student.options,
        task=config.task.kind,
        statistics=prepared.setting.statistics,
        reading=prepared.setting.reading_of(spec),
    )


def _seed(prepared: Prepared, position: int, asked: Schooling) -> int:
    """Give a teacher's seed: teachers that are trained alike differ by theirs, else they would be one model.

    Names do not count, so that a search with fewer or more of them finds those of an earlier one.
    """
    config = prepared.config
    alike = dict(_trained_alike(prepared, position, asked))
    given = {k: seed for k, seed in alike.items() if seed is not None}
    if position in given:
        for k in range(position):
            if given.get(k) == given[position]:
                raise UserError(
                    f"{config.teachers[k].name!r} is trained alike with the seed {given[k]}: both would be one model; "
                    "give another seed, or leave the key out",
                    place=config.place("teachers", position, "seed"),
                )
        return given[position]
    free = (seed for seed in itertools.count(config.seed) if seed not in given.values())
    return next(itertools.islice(free, sum(k < position for k in alike.keys() - given.keys()), None))


def _trained_alike(prepared: Prepared, position: int, asked: Schooling) -> Iterator[tuple[int, int | None]]:
    """Find the teachers that learn the same from the same rows, and the seeds that they are given."""
    for k, teacher in enumerate(prepared.config.teachers):
        if teacher.kind == "train" and (k == position or _asked(prepared, k).is_alike(asked)):
            yield k, teacher.seed


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
