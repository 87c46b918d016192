"""Recipes without some of their teachers."""

import pytest

from trials.ablation import with_equal_steps, without_teachers
from trials.recipe import HARD_LABEL, LossTerm, Recipe

KD = LossTerm(name="kd", weight=2.0, warmup_epochs=3, first_epoch=5)
LABELS = LossTerm(name=HARD_LABEL, weight=1.0)


def recipe(*losses: LossTerm, **fields: object) -> Recipe:
    settings: dict[str, object] = {"losses": losses, "epochs": 10, "batch_size": 64, "learning_rate": 0.01}
    return Recipe(**{**settings, **fields})  # type: ignore[arg-type] # each of the type of its field


def test_a_teacher_that_is_left_out_is_silent_and_nothing_else_changes() -> None:
    before = recipe(LABELS, KD, taking_part={"c": False})
    less = without_teachers(before, ["a"], heard=["a", "b"])
    assert less.silent == {"a", "c"}
    assert {**less.plain(), "taking_part": None} == {**before.plain(), "taking_part": None}


def test_without_all_teachers_labels_are_left() -> None:
    assert without_teachers(recipe(KD, LABELS), ["a", "b"], heard=["a", "b"]).losses == (LABELS,)
    assert without_teachers(recipe(KD, LABELS), ["a"], heard=["a"]).losses == (LABELS,)


@pytest.mark.parametrize("losses", [(KD,), (KD, LossTerm(name=HARD_LABEL, weight=0.0))])
def test_without_labels_somebody_must_teach(losses: tuple[LossTerm, ...]) -> None:
    with pytest.raises(ValueError, match="nothing is left to learn from: no other teacher, and no term hard_label"):
        without_teachers(recipe(*losses), ["a"], heard=["a"])


def test_fewer_rows_are_seen_more_often_and_terms_begin_at_the_same_step() -> None:
    longer = with_equal_steps(recipe(LABELS, KD), rows=100, rows_before=400)
    assert longer.epochs == 40
    assert longer.losses[0] == LABELS
    assert (longer.losses[1].warmup_epochs, longer.losses[1].first_epoch) == (12, 17)


def test_as_many_rows_change_nothing() -> None:
    assert with_equal_steps(recipe(LABELS, KD), rows=400, rows_before=400) == recipe(LABELS, KD)
