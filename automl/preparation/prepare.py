"""From a config to the things that a search works with; every mistake is told with its place in the file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.config import Config
from automl.config.config import LANGUAGE_MODELLING
from automl.config.data import reader_arguments, row_limits
from automl.config.teachers import Teacher as TeacherConfig
from automl.errors import UserError, disk_is_full
from automl.preparation.covering import coverage_of
from automl.preparation.metric_checks import check_metrics
from automl.preparation.packing import as_documents, pack_for, writing_test
from automl.preparation.recipe_checks import check_recipe
from automl.preparation.surroundings import demands
from automl.preparation.teaching_checks import check_teaching
from automl.preparation.token_checks import check_tokens
from automl.preparation.tokenizing import reading_for
from automl.preparation.trying_out import try_out
from automl.teaching.answered_rows import reads_of, with_answered
from search_spaces import Choice, SearchSpace, StudentSpec, Values
from search_spaces.imports import import_object
from teachers import Coverage, TeacherEnsemble
from trials.data import READERS, Dataset
from trials.data.augmentation import Augmentation
from trials.data.settings import SettingError
from trials.data.splitting import split
from trials.recipe import Recipe
from trials.records import Trial
from trials.run_trial import Setting
from trials.student import normalisation
from trials.tasks import TASKS, Classification, Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A config brought to life.

    Args:
        config: Where it came from.
        dataset: Read and split.
        task: Made for the data.
        space: Narrowed as the config says.
        choices: What is searched: architecture, then recipe.
        coverages: What each teacher covers, by name, in the order of the config.
        ensemble: Of these teachers; None without teachers.
        setting: What all trials share, still without a place where teachers are heard.
        documents: What the rows of tokens were packed from; None where labels are no tokens.
    """

    config: Config
    dataset: Dataset
    task: Task
    space: SearchSpace
    choices: tuple[Choice, ...]
    coverages: Mapping[str, Coverage]
    ensemble: TeacherEnsemble | None
    setting: Setting
    documents: Dataset | None = None

    def spec(self, values: Values) -> StudentSpec:
        """Make the architecture of a proposal."""
        fixed = self.config.student.fixed_values(self.space)
        if fixed is not None:
            return self.space.spec(fixed)
        names = {choice.name for choice in self.space.choices}
        return self.space.spec({name: value for name, value in values.items() if name in names})

    def trial(self, number: int, values: Values) -> Trial:
        """Make the trial of a proposal."""
        recipe = self.config.recipe.at(values)
        return Trial(number=number, spec=self.spec(values), recipe=recipe, seed=self.config.seed)


def prepare(config: Config, *, to_run: bool = True) -> Prepared:
    """Read the data and look up everything that the config names.

    Args:
        config: As read.
        to_run: Whether trials shall run; False to look at a run that was made elsewhere.

    Raises:
        UserError: Something is missing, unknown, does not fit, or cannot be had here.
    """
    for path, require in demands(config) if to_run else ():
        with at(config, *path):
            require()
    dataset = _read(config)
    with at(config, "student"):
        space = config.student.make_space()
    with at(config, "tokenizer"):
        reading = reading_for(config, dataset, space)
    documents: Dataset | None = None
    task: Task | None = None
    if config.task.kind == LANGUAGE_MODELLING:
        with at(config, "data"):
            documents = dataset
            dataset, reading, task = pack_for(config, documents, reading, space)
    with at(config, "data"):
        statistics = normalisation(dataset)
    dataset = _augmented(config, dataset)
    if task is None:
        task = _task_for(config, dataset if reading is None else reading.outline(dataset))
    setting = Setting(
        space=space,
        dataset=dataset,
        task=task,
        statistics=statistics,
        taps=config.student.taps,
        precisions=config.precisions,
        limits=config.limits,
        latency=config.latency.settings(),
        threads=config.resources.threads,
        device="auto" if config.resources.gpus else "cpu",
        reading=reading,
        writing=None if documents is None or reading is None else writing_test(config, documents, reading),
    )
    with at(config, "student"):
        try_out(config, setting)
    dataset, coverages, ensemble = _teachers_for(config, dataset)
    if to_run:
        check_teaching(config, dataset)
        check_recipe(config, dataset, ensemble)
        check_tokens(config, dataset)
    check_metrics(config, task)
    return Prepared(
        config=config,
        dataset=dataset,
        task=task,
        space=space,
        choices=(*(space.choices if config.student.fixed_values(space) is None else ()), *config.recipe.choices()),
        coverages=coverages,
        ensemble=ensemble,
        setting=replace(setting, dataset=dataset, ensemble=ensemble),
        documents=documents,
    )


@contextmanager
def at(config: Config, *path: str | int) -> Iterator[None]:
    """Turn a mistake into a message with its place in the config.

    Raises:
        UserError: Where the body raises ValueError, or an OSError as for a missing file; not for a full disk.
    """
    try:
        yield
    except UserError as error:
        if error.place:
            raise
        raise UserError(str(error), place=config.place(*path)) from error
    except (ValueError, OSError) as error:
        if disk_is_full(error):
            raise
        setting = error.setting if isinstance(error, SettingError) else ()
        raise UserError(str(error), place=config.place(*path, *setting)) from error


def _read(config: Config) -> Dataset:
    shares = config.data.split
    with at(config, "data"):
        raw = READERS[config.data.kind](**reader_arguments(config.data))
        if config.task.kind == LANGUAGE_MODELLING:
            raw = as_documents(raw)
        return split(
            raw,
            validation=shares.validation,
            test=shares.test,
            seed=shares.seed,
            limit_rows=row_limits(config.data),
            labelled=config.data.labelled,
        )


def _augmented(config: Config, dataset: Dataset) -> Dataset:
    """Show students views of the training rows, where the config says so."""
    section = config.data.augmentation
    if section is None:
        return dataset
    with at(config, "data", "augmentation"):
        settings = section.model_dump()
        if section.kind == "noise" and isinstance(dataset.inputs, np.ndarray):
            settings["deviations"] = dataset.inputs[dataset.splits["train"]].std(axis=0).astype(np.float32)
        return replace(dataset, augmentation=Augmentation(**settings))


def _task_for(config: Config, dataset: Dataset) -> Task:
    # A task of the project's own refuses nothing but the data.
    refused = "data" if config.task.kind in TASKS else "task"
    with at(config, refused):
        task = _make_task(config.task.kind, dataset)
        task.signature(dataset)
    return task


def _teachers_for(config: Config, dataset: Dataset) -> tuple[Dataset, dict[str, Coverage], TeacherEnsemble | None]:
    """Find out what each teacher covers, by name in the order of the config; columns that tell it join the data."""
    coverages = {}
    for position, teacher in enumerate(config.teachers):
        with at(config, "teachers", position, "covers"):
            coverage = coverage_of(teacher.covers, dataset, getattr(teacher, "classes", None))
        if teacher.kind == "completions" and reads_of(dataset) != "tokens":
            with at(config, "teachers", position):
                dataset, coverage = with_answered(teacher, dataset, coverage)
        coverages[teacher.name] = coverage
    if not coverages:
        return dataset, {}, None
    with at(config, "teachers"):
        return (
            dataset,
            coverages,
            TeacherEnsemble(coverages, num_classes=dataset.num_classes, num_rows=len(dataset), columns=dataset.columns),
        )


def _make_task(kind: str, dataset: Dataset) -> Task:
    if ":" in kind:
        make: Any = import_object(kind)
        task: Task = make(dataset)
        return task
    if kind not in TASKS:
        raise ValueError(f"unknown task {kind!r}; tasks are {', '.join(sorted(TASKS))}, or package.module:name")
    return Classification.for_dataset(dataset)


def fixed_recipe(config: Config, position: int, teacher: TeacherConfig) -> Recipe:
    """Give the recipe of a teacher that is trained first."""
    assert teacher.kind == "train"
    with at(config, "teachers", position, "recipe"):
        return teacher.recipe.at({})
