"""The section ``recipe``: how students are distilled, every setting fixed or searched."""

from collections.abc import Iterator, Mapping
from functools import partial

from pydantic import ConfigDict, Field

from automl.config.part import Named, NaturalInt, NaturalReal, Part, PositiveInt, PositiveReal
from automl.config.searchable import (
    NaturalRealRange,
    OneOrSeveral,
    PositiveIntRange,
    PositiveRealRange,
    Searchable,
    SearchablePlain,
    Warmup,
    WarmupRange,
    domain_of,
    possible_values,
)
from search_spaces import Choice, Value, Values
from search_spaces.conditions import Condition, all_of, equals
from trials.recipe import FIXED, HARD_LABEL, LossTerm
from trials.recipe import Recipe as TrialRecipe

PREFIX = "recipe"
"""Stands before the names of its choices, so that they never meet those of a space."""

Weight = Searchable[NaturalReal, NaturalRealRange]


class Loss(Part):
    """One term of the loss: its weight, and options of the loss as further keys."""

    model_config = ConfigDict(extra="allow")
    # Extra keys are the options; each may be a value, a list or a range.
    __pydantic_extra__: dict[str, SearchablePlain] = Field(init=False)

    weight: Weight
    """How much it counts; 0 leaves it out."""
    warmup_epochs: NaturalInt = 0
    """Epochs over which the weight rises to its value; 0 for none."""
    first_epoch: PositiveInt = 1
    """Epoch, counted from 1, before which the term is left out."""

    @property
    def options(self) -> dict[str, SearchablePlain]:
        """Keyword arguments of the loss, such as ``temperature``."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def may_count(self) -> bool:
        """Whether its weight can be above 0."""
        return any(float(weight) > 0 for weight in possible_values(self.weight))


class Recipe(Part):
    """How students are distilled; a list or a range is searched together with the architecture."""

    losses: Named[Loss] = Field(min_length=1)
    """Terms that are added up, by name: hard_label, a loss that listens to teachers, or package.module:name."""
    aggregation: OneOrSeveral[str] = "mean_of_losses"
    """How teachers become one loss: mean_of_losses, mean_of_probabilities, mean_of_logits, mimic_all, aekd or
    concatenated_logits."""
    weighting: OneOrSeveral[str] = "fixed"
    """How much each teacher counts on each sample: fixed, entropy, confidence or learnt."""
    teacher_weights: Named[Weight] = Field(default={})
    """Weights by name of the teacher, for the weighting fixed; teachers without one get 1, one of weight 0 is not
    listened to."""
    taking_part: Named[OneOrSeveral[bool]] = Field(default={})
    """Whether a teacher is listened to, by its name: true, false, or [true, false] to search it; others are."""
    balance: OneOrSeveral[str] = "none"
    """none adds the terms up with their weights; magnitude first divides each by its running magnitude, so that weights
    are shares of the value of the loss."""
    epochs: Searchable[PositiveInt, PositiveIntRange]
    """Passes over the training split."""
    batch_size: Searchable[PositiveInt, PositiveIntRange]
    """Rows of a step."""
    optimizer: OneOrSeveral[str] = "adamw"
    """adamw or sgd."""
    learning_rate: Searchable[PositiveReal, PositiveRealRange]
    """The highest learning rate, such as 0.003; schedule and warmup say how it is reached and left."""
    weight_decay: Searchable[NaturalReal, NaturalRealRange] = 0.01
    """Of the optimizer."""
    schedule: OneOrSeveral[str] = "cosine"
    """How the learning rate falls: cosine, linear or constant."""
    warmup: Searchable[Warmup, WarmupRange] = 0.05
    """Share of the steps in which the learning rate rises to its highest value."""
    on_policy: Searchable[NaturalReal, NaturalRealRange] = 0.0
    """Share of the steps, 0 to 1, in which a language model is taught on what it writes itself (GKD); teachers then run
    on the spot."""

    @property
    def listening(self) -> tuple[str, ...]:
        """Names of the losses that can listen to teachers."""
        return tuple(name for name, loss in self.losses.items() if name != HARD_LABEL and loss.may_count)

    def hears(self, teacher: str) -> set[bool]:
        """Say whether a teacher is listened to: both where some of the recipes that this can become do, and some not.

        One of weight 0 is not, where weights are fixed.
        """
        found = {bool(takes_part) for takes_part in possible_values(self.taking_part.get(teacher, True))}
        weightings = set(possible_values(self.weighting))
        weights = {float(weight) for weight in possible_values(self.teacher_weights.get(teacher, 1.0))}
        if FIXED not in weightings or 0 not in weights:
            return found
        return {False} if weightings == {FIXED} and weights == {0} else found | {False}

    def settings(self) -> Iterator[tuple[tuple[str, ...], object, Condition | None]]:
        """Go through all settings: path, the setting, and when it matters."""
        for name, loss in self.losses.items():
            path = ("losses", name)
            yield (*path, "weight"), loss.weight, None
            counts = None if domain_of(loss.weight) is None else partial(_above_0, choice_name((*path, "weight")))
            for option, setting in loss.options.items():
                yield (*path, option), setting, counts
        taught = self._taught()
        for field in type(self).model_fields:
            if field not in ("losses", "teacher_weights", "taking_part"):
                yield (field,), getattr(self, field), taught if field in ("aggregation", "weighting") else None
        # The last, since their conditions look back at the weighting, and at who takes part.
        for teacher, takes_part in self.taking_part.items():
            yield ("taking_part", teacher), takes_part, taught
        fixed = None if domain_of(self.weighting) is None else equals(choice_name(("weighting",)), FIXED)
        for teacher, weight in self.teacher_weights.items():
            takes_part = self.taking_part.get(teacher, True)
            heard = None if takes_part is True else equals(choice_name(("taking_part", teacher)), True)
            conditions = [when for when in (taught, fixed, heard) if when is not None]
            yield ("teacher_weights", teacher), weight, all_of(*conditions) if conditions else None

    def _taught(self) -> Condition | None:
        """Say when teachers are listened to at all; None where always."""
        searched = [choice_name(("losses", name, "weight")) for name in self.listening]
        always = any(all(float(w) > 0 for w in possible_values(self.losses[name].weight)) for name in self.listening)
        return None if always or not searched else partial(_any_above_0, tuple(searched))

    def choices(self) -> tuple[Choice, ...]:
        """Give what is searched, each under ``recipe.`` and its path: ``recipe.losses.kd.weight``."""
        return tuple(
            Choice(name=choice_name(path), domain=domain, when=when)
            for path, setting, when in self.settings()
            if (domain := domain_of(setting)) is not None
        )

    def at(self, values: Values) -> TrialRecipe:
        """Give the recipe with the values of its choices.

        Args:
            values: By name of the choice; names that are not the recipe's are passed over.

        Raises:
            ValueError: The values make no recipe that can be trained.
        """
        chosen: dict[tuple[str, ...], Value] = {}
        for path, setting, when in self.settings():
            if domain_of(setting) is None:
                chosen[path] = setting  # type: ignore[assignment] # no domain, so it is a value
            elif when is None or when(values):
                chosen[path] = values[choice_name(path)]
        plain = {path[0]: value for path, value in chosen.items() if len(path) == 1}
        return TrialRecipe(
            losses=tuple(_term(name, loss, chosen) for name, loss in self.losses.items()),
            taking_part={path[1]: bool(part) for path, part in chosen.items() if path[0] == "taking_part"},
            teacher_weights={path[1]: float(value) for path, value in chosen.items() if path[0] == "teacher_weights"},
            **plain,  # type: ignore[arg-type] # each of the type of its field, as validated
        )


def choice_name(path: tuple[str, ...]) -> str:
    """Name the choice of a setting of the recipe."""
    return ".".join((PREFIX, *path))


def values_of(recipe: TrialRecipe) -> dict[str, Value]:
    """Write a recipe as values by name of the choice, as if all of its settings were searched."""
    found: dict[tuple[str, ...], Value] = {}
    for term in recipe.losses:
        settings = {"weight": term.weight, **term.options}
        found |= {("losses", term.name, option): value for option, value in settings.items()}
    for field in Recipe.model_fields:
        if field not in ("losses", "teacher_weights", "taking_part"):
            found[(field,)] = getattr(recipe, field)
    found |= {("taking_part", name): part for name, part in recipe.taking_part.items()}
    found |= {("teacher_weights", name): weight for name, weight in recipe.teacher_weights.items()}
    return {choice_name(path): value for path, value in found.items()}


def _above_0(name: str, values: Values) -> bool:
    return name in values and float(values[name]) > 0


def _any_above_0(names: tuple[str, ...], values: Values) -> bool:
    return any(_above_0(name, values) for name in names)


def _term(name: str, loss: Loss, chosen: Mapping[tuple[str, ...], Value]) -> LossTerm:
    given = {path[2]: value for path, value in chosen.items() if path[:2] == ("losses", name)}
    return LossTerm(
        name=name,
        weight=float(given.pop("weight")),
        options=given,
        warmup_epochs=loss.warmup_epochs,
        first_epoch=loss.first_epoch,
    )
