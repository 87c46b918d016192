import json
import math

import pytest

from trials.recipe import HARD_LABEL, LossTerm, Recipe


def recipe(*terms, **fields):
    terms = terms or (LossTerm(name=HARD_LABEL, weight=1.0),)
    return Recipe(losses=terms, **{"epochs": 2, "batch_size": 8, "learning_rate": 0.01} | fields)


KD = LossTerm(name="kd", weight=0.5, options={"temperature": 2.0})


def test_plain_form_is_json_and_names_everything():
    plain = json.loads(json.dumps(recipe(KD, teacher_weights={"a": 2}).plain()))
    assert plain["losses"] == {"kd": {"temperature": 2.0, "weight": 0.5}}
    assert plain["teacher_weights"] == {"a": 2.0}
    assert set(plain) == set(vars(recipe())) - {"on_policy"}  # Of recipes without any, it is left out.


def test_digest_names_what_was_said_and_not_how():
    label = LossTerm(name=HARD_LABEL, weight=1)
    assert recipe(label, KD).digest == recipe(KD, LossTerm(name=HARD_LABEL, weight=1.0)).digest
    assert recipe(learning_rate=1).digest == recipe(learning_rate=1.0).digest
    changes = ({"epochs": 3}, {"optimizer": "sgd"}, {"warmup": 0.1}, {"weighting": "entropy"})
    assert len({recipe().digest, recipe(KD).digest, *(recipe(**change).digest for change in changes)}) == 6


@pytest.mark.parametrize(("weight", "needs"), [(0.5, True), (0.0, False)])
def test_only_terms_with_a_weight_listen_to_teachers(weight, needs):
    assert recipe(LossTerm(name=HARD_LABEL, weight=1.0), LossTerm(name="kd", weight=weight)).needs_teachers is needs


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_a_weight_that_is_no_weight_is_refused(weight):
    with pytest.raises(ValueError, match="weight of 'kd' must be finite and at least 0"):
        LossTerm(name="kd", weight=weight)
    with pytest.raises(ValueError, match="weight of teacher 'a' must be finite and at least 0"):
        recipe(teacher_weights={"a": weight})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "at least 1, got 0 and 8"),
        ({"batch_size": 0}, "at least 1, got 2 and 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": math.inf}, "both finite, got inf"),
        ({"weight_decay": -1.0}, "weight_decay at least 0"),
        ({"weight_decay": math.nan}, "weight_decay at least 0"),
        ({"warmup": 1.0}, "below 1, got 1.0"),
    ],
)
def test_what_cannot_be_trained_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        recipe(**fields)


def test_a_loss_stands_once_and_one_counts():
    with pytest.raises(ValueError, match="each loss may stand once"):
        recipe(KD, KD)
    with pytest.raises(ValueError, match="at least one loss needs a weight above 0"):
        recipe(LossTerm(name="kd", weight=0.0))
