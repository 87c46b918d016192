import pickle

import pytest

from automl.config import Recipe
from search_spaces import Categorical, Integer, Real, Values, check_values, walk
from trials.recipe import LossTerm
from trials.recipe import Recipe as TrialRecipe

FIXED = {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, "losses": {"hard_label": {"weight": 1.0}}}


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({**FIXED, **changes})


def test_a_recipe_of_values_has_no_choices_and_is_the_trials_recipe() -> None:
    fixed = recipe(teacher_weights={"a": 2}, warmup=0, weight_decay=0)
    assert fixed.choices() == ()
    assert fixed.at({}) == TrialRecipe(
        losses=(LossTerm(name="hard_label", weight=1.0),),
        teacher_weights={"a": 2.0},
        epochs=3,
        batch_size=8,
        learning_rate=0.1,
        warmup=0.0,
        weight_decay=0.0,
    )


def test_lists_and_ranges_become_choices_under_their_path() -> None:
    searched = recipe(
        epochs={"low": 2, "high": 6, "step": 2},
        learning_rate={"low": 0.001, "high": 1, "log": True},
        optimizer=["sgd", "adamw"],
        losses={"kd": {"weight": {"low": 1, "high": 2}, "temperature": [1.0, 2.0]}},
    )
    assert {choice.name: choice.domain for choice in searched.choices()} == {
        "recipe.losses.kd.weight": Real(low=1.0, high=2.0),
        "recipe.losses.kd.temperature": Categorical(options=(1.0, 2.0)),
        "recipe.epochs": Integer(low=2, high=6, step=2),
        "recipe.learning_rate": Real(low=0.001, high=1.0, log=True),
        "recipe.optimizer": Categorical(options=("sgd", "adamw")),
    }


def test_chosen_values_reach_the_trials_recipe() -> None:
    searched = recipe(epochs=[2, 4], losses={"kd": {"weight": [1.0, 3.0], "temperature": [1.0, 2.0]}})
    values: Values = {
        "recipe.losses.kd.weight": 3.0,
        "recipe.losses.kd.temperature": 2.0,
        "recipe.epochs": 4,
        "depth": 7,  # of the student
    }
    made = searched.at(values)
    assert made.epochs == 4
    assert made.losses == (LossTerm(name="kd", weight=3.0, options={"temperature": 2.0}),)


def test_options_of_a_loss_are_chosen_only_where_it_counts() -> None:
    searched = recipe(losses={"hard_label": {"weight": 1}, "kd": {"weight": [0.0, 1.0], "temperature": [1.0, 2.0]}})
    off = walk(searched.choices(), lambda choice: choice.domain.options[0])  # type: ignore[union-attr] # all lists here
    assert off == {"recipe.losses.kd.weight": 0.0}
    assert searched.at(off).losses[1] == LossTerm(name="kd", weight=0.0)
    on = walk(searched.choices(), lambda choice: choice.domain.options[1])  # type: ignore[union-attr] # all lists here
    assert searched.at(on).losses[1] == LossTerm(name="kd", weight=1.0, options={"temperature": 2.0})


def test_weights_of_teachers_are_chosen_only_where_the_weighting_is_fixed() -> None:
    searched = recipe(weighting=["fixed", "entropy"], teacher_weights={"a": [1.0, 2.0], "b": 3})
    fixed: Values = {"recipe.weighting": "fixed", "recipe.teacher_weights.a": 2.0}
    entropy: Values = {"recipe.weighting": "entropy"}
    check_values(searched.choices(), fixed)
    check_values(searched.choices(), entropy)
    assert searched.at(fixed).teacher_weights == {"a": 2.0, "b": 3.0}
    assert "a" not in searched.at(entropy).teacher_weights


def test_whole_ends_make_a_whole_range_for_options_of_a_loss() -> None:
    options = {"rank": {"low": 1, "high": 4}, "temperature": {"low": 1.0, "high": 4.0}}
    searched = recipe(losses={"kd": {"weight": 1, **options}})
    domains = {choice.name: choice.domain for choice in searched.choices()}
    assert domains["recipe.losses.kd.rank"] == Integer(low=1, high=4)
    assert domains["recipe.losses.kd.temperature"] == Real(low=1.0, high=4.0)


@pytest.mark.parametrize(
    ("weight", "listens"),
    [(0, False), (1, True), ([0, 1], True), ({"low": 0, "high": 0}, False), ({"low": 0, "high": 1}, True)],
)
def test_a_loss_listens_if_its_weight_can_be_above_0(weight: object, listens: bool) -> None:
    assert (recipe(losses={"kd": {"weight": weight}}).listening == ("kd",)) is listens


def test_choices_can_be_sent_to_another_process() -> None:
    searched = recipe(losses={"hard_label": {"weight": 1}, "kd": {"weight": [0, 1], "temperature": [1, 2]}})
    _, temperature = pickle.loads(pickle.dumps(searched.choices()))
    assert temperature.when({"recipe.losses.kd.weight": 1.0})
    assert not temperature.when({"recipe.losses.kd.weight": 0.0})


def test_terms_may_come_in_late_and_teachers_may_take_part_or_not() -> None:
    taught = recipe(
        losses={
            "hard_label": {"weight": 1.0},
            "kd": {"weight": [0.0, 1.0], "warmup_epochs": 5, "first_epoch": 2, "temperature": 2.0},
        },
        taking_part={"a": [True, False], "b": False},
        teacher_weights={"a": [1.0, 2.0]},
        balance=["none", "magnitude"],
    )
    names = [choice.name for choice in taught.choices()]
    assert names == [
        "recipe.losses.kd.weight",
        "recipe.balance",
        "recipe.taking_part.a",
        "recipe.teacher_weights.a",
    ]
    heard: Values = {names[0]: 1.0, names[1]: "magnitude", names[2]: True, names[3]: 2.0}
    made = taught.at(heard)
    assert made.losses[1] == LossTerm(
        name="kd", weight=1.0, options={"temperature": 2.0}, warmup_epochs=5, first_epoch=2
    )
    assert (made.silent, made.teacher_weights, made.balance) == ({"b"}, {"a": 2.0}, "magnitude")
    assert taught.at({**heard, names[2]: False}).silent == {"a", "b"}


def test_what_concerns_teachers_is_asked_only_where_they_are_heard() -> None:
    taught = recipe(
        losses={"hard_label": {"weight": 1.0}, "kd": {"weight": [0.0, 1.0]}},
        weighting=["fixed", "entropy"],
        taking_part={"a": [True, False]},
        teacher_weights={"a": [1.0, 2.0]},
    )
    choices = taught.choices()

    def active(**values: object) -> list[str]:
        given = {f"recipe.{name.replace('__', '.')}": value for name, value in values.items()}
        return [c.name for c in choices if c.when is None or c.when(given)]  # type: ignore[arg-type] # plain values

    assert active(losses__kd__weight=0.0) == ["recipe.losses.kd.weight"]
    everything = {"losses__kd__weight": 1.0, "weighting": "fixed", "taking_part__a": True}
    assert active(**everything) == [choice.name for choice in choices]
    assert "recipe.teacher_weights.a" not in active(**{**everything, "taking_part__a": False})
    assert "recipe.teacher_weights.a" not in active(**{**everything, "weighting": "entropy"})


def test_who_is_heard_is_told_for_all_recipes_that_there_can_be() -> None:
    def hears(**fields: object) -> set[bool]:
        return recipe(losses={"kd": {"weight": 1.0}}, **fields).hears("a")

    assert hears() == hears(teacher_weights={"a": 2.0, "b": 0}) == {True}
    assert hears(teacher_weights={"a": 0}) == hears(taking_part={"a": False}) == {False}
    assert hears(teacher_weights={"a": [0.0, 1.0]}) == hears(taking_part={"a": [True, False]}) == {True, False}
    assert hears(teacher_weights={"a": 0}, weighting=["fixed", "entropy"]) == {True, False}
    assert hears(teacher_weights={"a": 0}, taking_part={"a": False}, weighting=["fixed", "entropy"]) == {False}
