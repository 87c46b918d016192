"""What a student is taught, and by whom."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from teachers import (
    MISSING_LABEL,
    Batch,
    EnsembleOutputs,
    TeacherEnsemble,
    TeacherModel,
    TeacherOutputs,
    TokenEnsembleOutputs,
    TokenOutputs,
)
from trials.aggregation import AGGREGATIONS, misfit, traits_of
from trials.data import Dataset
from trials.losses import Needs, find_loss, needs_of, reads_votes, temperature_of
from trials.optimizing import OPTIMIZERS, SCHEDULES
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.tasks import Task
from trials.weighting import WEIGHTINGS, needs_labels


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
        teacher_models: Models of all teachers, for losses that run them; empty where they are not at hand.
        taps: Names that the user gives to layers of the student.
        device: Where to train: ``cpu``, ``cuda``, or ``auto`` for ``cuda`` where there is one.
    """

    dataset: Dataset
    task: Task
    recipe: Recipe
    seed: int
    ensemble: TeacherEnsemble | None = None
    teachers: EnsembleOutputs | None = None
    teacher_models: tuple[TeacherModel, ...] = ()
    taps: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Reject a recipe that names unknown methods, or that does not fit the teachers.

        Raises:
            ValueError: The message says what does not fit, and what would.
        """
        recipe = self.recipe
        if self.dataset.of_tokens and (reason := unfit_for_tokens(recipe)):
            raise ValueError(reason)
        _check_known("aggregation", recipe.aggregation, AGGREGATIONS)
        _check_known("weighting", recipe.weighting, WEIGHTINGS)
        _check_known("optimizer", recipe.optimizer, OPTIMIZERS)
        _check_known("schedule", recipe.schedule, SCHEDULES)
        for term in recipe.taught:
            needs = needs_of(term)
            temperature_of(term)
            if needs.models and self.teachers is not None and not self.teacher_models:
                raise ValueError(f"{term.name!r} runs the teachers' own models, which are not at hand")
        self._check_own_texts()
        if not recipe.needs_teachers:
            return
        if self.ensemble is None or self.teachers is None:
            raise ValueError("the recipe has losses that listen to teachers, but there are no teachers")
        if unknown := sorted(recipe.taking_part.keys() - set(self.ensemble.names)):
            raise ValueError(
                f"taking_part names {', '.join(unknown)}; teachers are {', '.join(sorted(self.ensemble.names))}"
            )
        if self.heard_ensemble is not None and (reason := misfit(recipe.aggregation, self.heard_ensemble)):
            raise ValueError(reason)
        reasons = (
            unfit_losses(recipe),
            *(without_facts(term, self.dataset) for term in recipe.taught),
            without_labels(recipe.weighting, self.dataset),
        )
        if reason := next(filter(None, reasons), ""):
            raise ValueError(reason)

    def _check_own_texts(self) -> None:
        if self.recipe.on_policy and not self.dataset.of_tokens:
            raise ValueError("on_policy is for language models, which write what they are then taught on; set it to 0")
        if self.recipe.on_policy and self.teachers is not None and not self.teacher_models:
            raise ValueError("on_policy runs the teachers' own models, which are not at hand")

    @cached_property
    def heard(self) -> tuple[int, ...]:
        """Positions of the teachers that the student listens to; empty where there are none."""
        if self.ensemble is None or self.teachers is None or not self.recipe.needs_teachers:
            return ()
        return tuple(k for k, name in enumerate(self.ensemble.names) if name not in self.recipe.silent)

    @property
    def heard_models(self) -> list[tuple[str, TeacherModel]]:
        """Name and model of each teacher that the student listens to."""
        assert self.ensemble is not None and self.teacher_models
        return [(self.ensemble.names[k], self.teacher_models[k]) for k in self.heard]

    @cached_property
    def heard_ensemble(self) -> TeacherEnsemble | None:
        """The teachers that the student listens to; None where there are none."""
        return self.ensemble.only(self.heard) if self.ensemble is not None and self.heard else None

    @property
    def head_weights(self) -> tuple[float, ...]:
        """Weight of each head of the student in its prediction, one head a teacher; empty for one without heads.

        Where teachers have fixed weights, heads have the same; else all have equal ones, since weights that differ by
        sample need teachers, which a student that ships has not.
        """
        aggregation = AGGREGATIONS[self.recipe.aggregation]
        if not self.heard or not traits_of(aggregation).has_heads or not any(map(averages, self.recipe.taught)):
            return ()
        assert self.ensemble is not None
        weights = [1.0] * len(self.heard)
        if self.recipe.weighting == "fixed":
            weights = [self.recipe.teacher_weights.get(self.ensemble.names[k], 1.0) for k in self.heard]
        return tuple(weight / sum(weights) for weight in weights)

    @cached_property
    def needs(self) -> Needs:
        """What all terms read beside logits, of student and teachers."""
        needs = [needs_of(term) for term in self.recipe.taught] if self.heard else []
        return Needs(
            student=tuple(sorted({name for need in needs for name in need.student})),
            teacher=tuple(sorted({name for need in needs for name in need.teacher})),
            models=any(need.models for need in needs),
        )

    def features_in(self, epoch: int) -> tuple[str, ...]:
        """Features of teachers that are read in an epoch, counted from 1; a term that has not come in reads none."""
        terms = self.recipe.taught_in(epoch) if self.heard else ()
        return tuple(sorted({name for term in terms for name in needs_of(term).teacher}))

    @property
    def has_shaped_losses(self) -> bool:
        """Whether any loss is a class, which must see what student and teachers say before it can be made."""
        return bool(self.heard) and any(isinstance(find_loss(term.name), type) for term in self.recipe.taught)

    def hear(self, batch: Batch, features: Collection[str]) -> TeacherOutputs | None:
        """Ask the teachers that the student listens to; None where there are none."""
        if not self.heard or self.teachers is None:
            return None
        if (texts := self.dataset.texts) is not None:  # Token ids are the student's own.
            batch = replace(batch, inputs=[texts[row] for row in batch.index.tolist()])
        answers = self.teachers(batch, features)
        return answers if len(self.heard) == len(answers.logits) else answers.only(self.heard)

    def hear_tokens(self, batch: Batch, features: Collection[str]) -> TokenOutputs | None:
        """Ask the teachers that the student listens to about each token of a batch; None where there are none."""
        if not self.heard or self.teachers is None:
            return None
        if isinstance(self.teachers, TokenEnsembleOutputs):
            answers = self.teachers.of_tokens(batch, features)
        else:
            answers = TokenOutputs.whole(self.teachers(batch, features))
        return answers if len(self.heard) == len(answers.logits) else answers.only(self.heard)

    def rows(self) -> NDArray[np.int64]:
        """Training rows that teach anything: by their label, or by a teacher that votes, where the recipe listens.

        Raises:
            ValueError: There is none.
        """
        rows = rows_that_teach(self.dataset, self.recipe, self.heard_ensemble)
        if not len(rows):
            raise ValueError(
                "no training row teaches anything: none has a label or a teacher that the recipe's losses listen to"
            )
        return rows


def rows_that_teach(dataset: Dataset, recipe: Recipe, heard: TeacherEnsemble | None) -> NDArray[np.int64]:
    """Find the training rows that teach anything: by their label, or by a teacher that votes.

    Args:
        dataset: With labels as a student may see them.
        recipe: Says whether labels are read.
        heard: Teachers that it listens to; None where there are none.
    """
    train = dataset.splits["train"]
    labels = dataset.student_labels[train]
    useful = np.zeros(len(train), dtype=bool)
    if any(term.name == HARD_LABEL and term.weight > 0 for term in recipe.losses):
        useful |= (labels != MISSING_LABEL).reshape(len(train), -1).any(axis=1)
    if heard is not None:
        useful |= heard.any_votes(train, labels)
    return train[useful]


def unfit_for_tokens(recipe: Recipe) -> str:
    """Say what of a recipe cannot teach a language model, and what can; nothing where all does."""
    reasons = [unfit_aggregation_of_tokens(recipe.aggregation), *map(unfit_loss_of_tokens, recipe.taught)]
    return next(filter(None, reasons), "")


def unfit_aggregation_of_tokens(name: str) -> str:
    """Say why an aggregation cannot teach a language model; nothing where it can."""
    if name in AGGREGATIONS and traits_of(AGGREGATIONS[name]).has_heads:
        return f"a language model has one head, which {name} cannot use; use mean_of_losses"
    return ""


def unfit_loss_of_tokens(term: LossTerm) -> str:
    """Say why a loss cannot teach a language model; nothing where it can."""
    if needs_of(term).models or reads_votes(find_loss(term.name)):
        return f"{term.name} compares rows that have one label each; a language model can take forward_kl, or hint"
    if (temperature := temperature_of(term)) != 1:
        return (
            f"language models are taught at temperature 1, got {temperature:g} for {term.name}: what is kept of a "
            "teacher's logits is right there alone; give it temperature: 1, or use forward_kl"
        )
    return ""


def without_facts(term: LossTerm, dataset: Dataset) -> str:
    """Say which facts of tokens a term needs that a data set does not have; nothing where it has all."""
    missing = [fact for fact in needs_of(term).facts if fact not in dataset.facts]
    if not missing:
        return ""
    there = f"has {', '.join(sorted(dataset.facts))}" if dataset.facts else "has none"
    return (
        f"{term.name!r} needs {', '.join(missing)} of each token, and the data set {there}; take the task "
        "language_modelling with annotate: python_syntax"
    )


def averages(term: LossTerm) -> bool:
    """Whether a term reads logits alone, so that the recipe's aggregation acts on it.

    What one layer of a network says cannot be averaged with another's: features are compared teacher by teacher.
    """
    needs = needs_of(term)
    return not (needs.student or needs.teacher or needs.models)


def unfit_losses(recipe: Recipe) -> str:
    """Say which losses the recipe's aggregation cannot take; nothing where it takes all."""
    if not traits_of(AGGREGATIONS[recipe.aggregation]).takes_functions_only:
        return ""
    classes = [term.name for term in recipe.taught if averages(term) and isinstance(find_loss(term.name), type)]
    return f"{recipe.aggregation} cannot take the losses {', '.join(classes)}; use mean_of_losses" if classes else ""


def without_labels(weighting: str, dataset: Dataset) -> str:
    """Say that a weighting learns from labels where a student sees none; nothing where it fits."""
    if needs_labels(weighting) and (dataset.student_labels[dataset.splits["train"]] == MISSING_LABEL).all():
        return f"{weighting} learns from labels whom to believe, but no training row has one; use entropy"
    return ""


def _check_known(what: str, name: str, catalog: Collection[str]) -> None:
    if name not in catalog:
        raise ValueError(f"unknown {what} {name!r}; known are {', '.join(sorted(catalog))}")
