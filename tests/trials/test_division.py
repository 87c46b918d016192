"""How the teaching was divided: means over the epochs that count, and who is named for it."""

from dataclasses import replace

import pytest

from trials.division import Imbalance, imbalances, mean_shares
from trials.recipe import LossTerm, Recipe
from trials.records import EpochRecord


def recipe(*terms, **settings):
    return Recipe(losses=terms, epochs=4, batch_size=8, learning_rate=0.1, **settings)


def history(*shares, teachers=()):
    rows = zip(shares, teachers or [{}] * len(shares), strict=True)
    return [
        EpochRecord(epoch=epoch, losses={}, learning_rate=0.1, seconds=1.0, shares=terms, teacher_shares=heard)
        for epoch, (terms, heard) in enumerate(rows, start=1)
    ]


LABEL, KD, HINT = (LossTerm(name=name, weight=1.0) for name in ("hard_label", "kd", "hint"))


def test_shares_are_averaged_over_the_epochs_in_which_they_were_measured():
    shares = mean_shares([{"a": 1.0, "b": 0.0}, {}, {"a": 0.5, "b": 0.5}])
    assert shares == {"a": 0.75, "b": 0.25}
    assert mean_shares([{}, {}]) == {}


def test_epochs_that_carry_shares_on_do_not_count_twice():
    faint, even = {"hard_label": 0.001, "kd": 0.999}, {"hard_label": 0.5, "kd": 0.5}
    measured = history(even, faint)
    carried = [replace(measured[1], epoch=epoch, shares_epoch=2) for epoch in range(3, 300)]
    assert imbalances(recipe(LABEL, KD), [*measured, *carried]) == ()


def test_a_term_of_hardly_any_share_is_named_and_one_that_fades_is_not():
    even = {"hard_label": 0.5, "kd": 0.5}
    assert imbalances(recipe(LABEL, KD), history(even, even)) == ()
    fading = [{"hard_label": share, "kd": 1 - share} for share in (0.4, 0.001, 0.001, 0.001)]
    assert imbalances(recipe(LABEL, KD), history(*fading)) == ()
    (found,) = imbalances(recipe(LABEL, KD), history({"hard_label": 0.004, "kd": 0.996}))
    assert found == Imbalance(kind="loss", name="hard_label", share=0.004)
    assert found.is_faint


def test_a_term_that_drowns_the_others_is_named():
    (found,) = imbalances(recipe(LABEL, KD), history({"hard_label": 0.08, "kd": 0.92}))
    assert (found.name, found.is_faint) == ("kd", False)
    three = imbalances(recipe(LABEL, KD, HINT), history({"hard_label": 0.04, "kd": 0.005, "hint": 0.955}))
    assert [(each.name, each.is_faint) for each in three] == [("kd", True), ("hint", False)]
    assert imbalances(recipe(KD), history({"kd": 1.0})) == (), "there are no others"


def test_epochs_before_a_term_comes_in_and_while_it_rises_do_not_count():
    late = LossTerm(name="hint", weight=1.0, first_epoch=2, warmup_epochs=3)
    alone, rising = {"kd": 1.0, "hint": 0.0}, {"kd": 0.999, "hint": 0.001}
    assert imbalances(recipe(KD, late), history(alone, rising)) == (), "it has not been at its weight yet"
    assert imbalances(recipe(KD, late), history(alone, rising, {"kd": 0.8, "hint": 0.2})) == ()
    (found,) = imbalances(recipe(KD, late), history(alone, rising, rising, rising))
    assert (found.name, found.share) == ("hint", pytest.approx(0.001))


def test_a_quiet_teacher_is_named():
    heard = [{"a": 0.995, "b": 0.005}, {"a": 0.993, "b": 0.007}]
    even = [{"hard_label": 0.5, "kd": 0.5}] * 2
    (found,) = imbalances(recipe(LABEL, KD), history(*even, teachers=heard))
    assert (found.kind, found.name, found.share) == ("teacher", "b", pytest.approx(0.006))


def test_a_term_of_weight_0_is_no_term():
    off = LossTerm(name="hint", weight=0.0)
    assert imbalances(recipe(LABEL, KD, off), history({"hard_label": 0.5, "kd": 0.5})) == ()


def test_without_measurements_nothing_is_said():
    assert imbalances(recipe(LABEL, KD), history({}, {})) == ()
    assert imbalances(recipe(LABEL, KD), []) == ()
