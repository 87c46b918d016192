"""Where rungs stand, in recipes of any length."""

import pytest

from automl.config import Config, Recipe, Search
from automl.searching.rungs import Rungs


@pytest.mark.parametrize(
    ("first", "longest", "reduction", "expected"),
    [
        (1, 27, 3, (1, 3, 9)),
        (2, 20, 3, (2, 6)),
        (2, 36, 3, (2, 6, 18)),
        (3, 12, 4, (3,)),
        (4, 16, 2, (4, 8)),
        (7, 8, 2, (7,)),
    ],
)
def test_each_rung_has_so_many_times_the_epochs_of_the_one_before_up_to_the_middle(
    first: int, longest: int, reduction: int, expected: tuple[int, ...]
) -> None:
    assert Rungs.rising(first=first, longest=longest, reduction=reduction).epochs == expected


def test_in_a_shorter_recipe_rungs_stand_at_the_same_share() -> None:
    rungs = Rungs(epochs=(4, 12), longest=36, reduction=3)
    assert rungs.of(36) == ((4, 4), (12, 12))
    assert rungs.of(18) == ((4, 2), (12, 6))
    assert rungs.of(10) == ((4, 2), (12, 4))  # No less than the share.


def test_rungs_that_fall_together_or_on_the_end_of_a_short_recipe_are_left_out() -> None:
    rungs = Rungs(epochs=(1, 3, 30), longest=40, reduction=3)
    assert rungs.of(8) == ((1, 1), (30, 6))
    assert rungs.of(2) == ((1, 1),)
    assert rungs.of(1) == ()


@pytest.mark.parametrize(
    ("epochs", "longest", "message"),
    [
        ((3, 9), 9, "which is 9 in the longest recipe; the last stands at 9: give earlier ones"),
        ((), 9, "there is none"),
        ((9, 3), 27, "rungs must rise, got 9, 3"),
        ((3, 3), 27, "rungs must rise"),
    ],
)
def test_rungs_that_save_nothing_are_refused(epochs: tuple[int, ...], longest: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rungs(epochs=epochs, longest=longest, reduction=3)


def test_the_share_of_epochs_is_that_of_a_trial_on_average() -> None:
    # 27 trials: all pass 3 epochs, 9 of them 6 more, 3 of them 18 more.
    assert Rungs(epochs=(3, 9), longest=27, reduction=3).share == pytest.approx((27 * 3 + 9 * 6 + 3 * 18) / (27 * 27))


def test_rungs_of_a_config_are_those_of_its_longest_recipe() -> None:
    recipe = Recipe.model_validate(
        {"losses": {"hard_label": {"weight": 1.0}}, "epochs": [9, 27, 18], "batch_size": 8, "learning_rate": 0.1}
    )
    config = Config.model_construct(recipe=recipe, search=Search.model_validate({"halving": {"grace": 3}}))
    assert config.rungs() == Rungs(epochs=(3, 9), longest=27, reduction=3)
    told = Search.model_validate({"halving": {"rungs": [2, 20], "reduction": 4}})
    assert config.model_copy(update={"search": told}).rungs() == Rungs(epochs=(2, 20), longest=27, reduction=4)
    assert config.model_copy(update={"search": Search()}).rungs() is None
