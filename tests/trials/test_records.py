import math
import pickle

import pytest

from search_spaces import StudentSpec
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import Limit, Trial, student_digest

SPEC = StudentSpec(space="mlp", values={"depth": 1, "width": 4})
RECIPE = Recipe(losses=(LossTerm(name=HARD_LABEL, weight=1.0),), epochs=1, batch_size=8, learning_rate=0.1)


@pytest.mark.parametrize(
    ("limit", "value", "excess"),
    [
        (Limit(metric="m", at_most=True, value=2.0), 3.0, 1.0),
        (Limit(metric="m", at_most=True, value=2.0), 2.0, 0.0),
        (Limit(metric="m", at_most=False, value=2.0), 3.0, -1.0),
        (Limit(metric="m", at_most=False, value=2.0), 0.5, 1.5),
    ],
)
def test_excess_is_above_0_where_a_limit_is_broken(limit, value, excess):
    assert limit.excess({"m": value, "other": 9.0}) == excess


def test_a_limit_is_not_kept_by_what_is_not_a_number():
    assert not Limit(metric="m", at_most=True, value=2.0).excess({"m": math.nan}) <= 0


def test_a_limit_reads_as_in_the_config():
    assert str(Limit(metric="size_bytes", at_most=True, value=50_000)) == "size_bytes <= 50000"
    assert str(Limit(metric="accuracy", at_most=False, value=0.9)) == "accuracy >= 0.9"


def test_digest_names_architecture_recipe_and_seed_but_not_the_number():
    trial = Trial(number=3, spec=SPEC, recipe=RECIPE, seed=7)
    assert trial.digest == student_digest(SPEC, RECIPE, 7) == Trial(number=4, spec=SPEC, recipe=RECIPE, seed=7).digest
    other = StudentSpec(space="mlp", values={"depth": 1, "width": 5})
    assert len({trial.digest, student_digest(SPEC, RECIPE, 8), student_digest(other, RECIPE, 7)}) == 3
    assert len(trial.digest) == 12


def test_a_trial_travels():
    trial = Trial(number=3, spec=SPEC, recipe=RECIPE, seed=7)
    assert pickle.loads(pickle.dumps(trial)) == trial
