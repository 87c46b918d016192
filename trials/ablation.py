"""A recipe without some of its teachers, so that what these contribute can be seen."""

from collections.abc import Collection
from dataclasses import replace

from trials.recipe import HARD_LABEL, LossTerm, Recipe


def without_teachers(recipe: Recipe, teachers: Collection[str], *, heard: Collection[str]) -> Recipe:
    """Leave teachers out.

    Args:
        recipe: Listens to some teachers.
        teachers: Names of those that are left out.
        heard: Names of all that it listens to.

    Returns:
        The recipe with the others; with its term for labels alone where there are no others.

    Raises:
        ValueError: Neither teachers nor labels are left.
    """
    if set(heard) - set(teachers):
        return replace(recipe, taking_part={**recipe.taking_part, **dict.fromkeys(teachers, False)})
    labels = tuple(term for term in recipe.losses if term.name == HARD_LABEL and term.weight > 0)
    if not labels:
        raise ValueError(f"nothing is left to learn from: no other teacher, and no term {HARD_LABEL} in the recipe")
    return replace(recipe, losses=labels)


def with_equal_steps(recipe: Recipe, *, rows: int, rows_before: int) -> Recipe:
    """Train on fewer rows for as many steps: what only a teacher knew about is gone with it, and else time would tell.

    Args:
        recipe: Of which epochs are counted: its own, and those in which its terms begin.
        rows: Training rows that teach anything.
        rows_before: The same of the recipe with all teachers.
    """
    more = rows_before / rows
    return replace(
        recipe,
        epochs=max(1, round(recipe.epochs * more)),
        losses=tuple(_later(term, more) for term in recipe.losses),
    )


def _later(term: LossTerm, more: float) -> LossTerm:
    return replace(
        term,
        warmup_epochs=round(term.warmup_epochs * more),
        first_epoch=1 + round((term.first_epoch - 1) * more),
    )
