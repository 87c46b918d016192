"""Whether each loss fits students and teachers: a step of each, on made-up answers, before a teacher is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from automl.check.timing import MadeUpAnswers
from automl.errors import UserError
from automl.preparation.prepare import Prepared
from automl.preparation.recipe_checks import place_of, reasons_against
from automl.preparation.token_checks import check_strangers
from automl.teaching.answering import answering
from automl.teaching.loading import load_one, strangers
from automl.teaching.schooling import schooling
from search_spaces import StudentSpec, sample
from teachers import LOADERS, Teacher
from trials.distill import rehearse
from trials.heads import build_student
from trials.losses import Needs, needs_of
from trials.recipe import LossTerm, Recipe
from trials.records import Trial
from trials.student import Student

_ROWS = 8
"""Of the step: few, since a student may be large; more than two, since some losses compare rows in halves."""
_MOST_STUDENTS = 50
"""Random students that are tried before a loss is said to fit none: where one in ten fits, it is found but for one
search in 200."""


def require_losses(prepared: Prepared) -> None:
    """Refuse a loss that fits no student or no teacher, which every trial would fail of.

    A loss is made and a step is taken, for each set of layers that its options may name. Teachers that are to be
    trained stand as untrained modules; others are loaded only where a loss reads their features or runs them.

    Args:
        prepared: The search.

    Raises:
        UserError: A loss does not fit, at its place in the config; or a teacher cannot be loaded.
    """
    dataset = prepared.dataset
    if dataset.of_tokens:
        check_strangers(prepared.config, strangers(prepared))
    if prepared.ensemble is None or dataset.of_tokens or isinstance(dataset.inputs, list):
        return  # What is made up has no tokens, and texts no features.
    recipe, fitting = prepared.config.recipe, _Fitting(prepared)
    with torch.random.fork_rng(devices=[]):
        for name in recipe.listening:
            if reasons := reasons_against(recipe, name, fitting.misfit):
                raise UserError("; ".join(reasons), place=place_of(prepared.config, name, reasons[0]))


@dataclass(frozen=True, kw_only=True)
class _Classroom:
    """Who teaches a loss: shapes of the features that it reads, of each teacher, and their models if it runs them."""

    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    teachers: tuple[Teacher, ...]


@dataclass(frozen=True)
class _Fitting:
    """Finds out why losses do not fit; remembers what it found, since few options change what a loss needs."""

    prepared: Prepared
    _teachers: list[Teacher] = field(default_factory=list)
    _found: dict[tuple[str, Needs], str] = field(default_factory=dict)

    def misfit(self, term: LossTerm) -> str:
        """Say why a loss does not fit; nothing where it fits."""
        key = term.name, needs_of(term)
        if key not in self._found:
            self._found[key] = self._misfit(term, key[1])
        return self._found[key]

    def _misfit(self, term: LossTerm, needs: Needs) -> str:
        try:
            classroom = self._classroom(needs)
        except UserError:  # A teacher cannot answer at all, which is none of the loss's business.
            raise
        except ValueError as error:
            return str(error)
        reasons = []
        for spec in _students(self.prepared):
            reasons.append(_step(self.prepared, term, spec, classroom))
            if not reasons[-1]:
                return ""
        tried = "" if len(reasons) == 1 else f"it fits none of {len(reasons)} random students: "
        return f"{tried}{reasons[-1]}"

    def _classroom(self, needs: Needs) -> _Classroom:
        """Gather the teachers.

        Raises:
            ValueError: One lacks a feature.
        """
        names = self.prepared.config.teachers
        if not needs.teacher and not needs.models:
            return _Classroom(shapes=tuple({} for _ in names), teachers=())
        rows = torch.from_numpy(np.array(self.prepared.dataset.inputs[:2]))
        if not self._teachers:
            for position in range(len(names)):
                teacher = _teacher(self.prepared, position)
                with answering(self.prepared, position):
                    teacher.model(rows)
                self._teachers.append(teacher)
        shapes = tuple(_shapes(teacher, rows, needs.teacher) for teacher in self._teachers)
        return _Classroom(shapes=shapes, teachers=tuple(self._teachers) if needs.models else ())


def _shapes(teacher: Teacher, rows: torch.Tensor, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    try:
        features = teacher.model(rows, names).features
    except ValueError as error:
        raise ValueError(f"teacher {teacher.name!r}: {error}") from error
    if missing := [name for name in names if name not in features]:
        known = ", ".join(sorted(features)) or "none"
        raise ValueError(f"teacher {teacher.name!r} gives no features {', '.join(missing)}; it gives {known}")
    return {name: tuple(features[name].shape[1:]) for name in names}


def _teacher(prepared: Prepared, position: int) -> Teacher:
    """Load a teacher; one that is trained first, trained or not, is built without its weights, which say nothing."""
    config = prepared.config.teachers[position]
    if config.kind != "train":
        return load_one(prepared, position)
    lesson = schooling(prepared, position)
    signature = prepared.setting.signature_of(lesson.trial.spec)
    body = lesson.space.build(lesson.trial.spec, signature)
    student = Student(body, signature=signature, statistics=lesson.statistics).eval()
    model = LOADERS["callable"](model=student, taps=config.taps)
    return model.teacher(config.name, prepared.coverages[config.name])


def _students(prepared: Prepared) -> Iterator[StudentSpec]:
    """Give the one student that there is, or random ones."""
    space = prepared.space
    fixed = prepared.config.student.fixed_values(space)
    if fixed is not None:
        yield space.spec(fixed)
        return
    generator = np.random.default_rng(prepared.config.seed)
    for _ in range(_MOST_STUDENTS):
        yield space.spec(sample(space.choices, generator, forbids=space.forbids))


def _step(prepared: Prepared, term: LossTerm, spec: StudentSpec, classroom: _Classroom) -> str:
    """Take a step of a loss alone; say why it cannot be taken."""
    setting = replace(
        prepared.setting,
        teachers=MadeUpAnswers(classroom.shapes, prepared.dataset.num_classes),
        teacher_models=tuple(teacher.model for teacher in classroom.teachers),
        device="cpu",
    )
    recipe = Recipe(losses=(term,), epochs=1, batch_size=_ROWS, learning_rate=1e-3)
    trial = Trial(number=0, spec=spec, recipe=recipe, seed=prepared.config.seed)
    try:
        splits = {**setting.dataset.splits, "train": setting.lesson(trial).rows()[:_ROWS]}
        lesson = setting.lesson(trial, replace(setting.dataset, splits=splits))
        signature = setting.signature_of(spec)
        rehearse(build_student(setting.space, spec, signature=signature, statistics=setting.statistics), lesson)
    except Exception as error:  # A loss of the user's can raise anything.
        told = (str(error).strip() or type(error).__name__).splitlines()[-1]
        if told.startswith("unknown feature"):  # Teachers have been asked for theirs.
            return f"the student: {told}"
        return told if isinstance(error, ValueError) else f"{type(error).__name__}: {told}"
    return ""
