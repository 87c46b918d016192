"""Whom a lesson listens to, and on which rows."""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Coverage, TeacherEnsemble, TeacherOutputs
from trials.data import Dataset
from trials.distill import Lesson
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.tasks import Classification

LABEL, KD = LossTerm(name=HARD_LABEL, weight=1.0), LossTerm(name="kd", weight=1.0)
LABELS = [0, 1, 2, 3, MISSING_LABEL, 2, 0, 0]
STYLES = ["x", "x", "x", "x", "x", "y", "x", "x"]


def lesson(coverages, *terms, **fields):
    rows = np.arange(len(LABELS))
    dataset = Dataset(
        inputs=np.zeros((len(rows), 2), dtype=np.float32),
        labels=np.array(LABELS),
        class_names=tuple("abcd"),
        splits={"train": rows[:6], "validation": rows[6:7], "test": rows[7:]},
        columns={"style": np.array(STYLES)},
    )
    return Lesson(
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        recipe=Recipe(losses=terms, epochs=1, batch_size=2, learning_rate=0.01, **fields),
        seed=0,
        ensemble=TeacherEnsemble(coverages, num_classes=4, num_rows=len(rows), columns=dataset.columns),
        teachers=lambda batch, features=(): TeacherOutputs(logits=torch.zeros(2, len(batch.index), 4)),
    )


SPECIALISTS = {"low": Coverage(labels=(0, 1)), "two": Coverage(labels=(2,), column="style", values=("y",))}


def test_rows_of_a_class_that_no_teacher_knows_teach_nothing_without_their_label():
    assert lesson(SPECIALISTS, KD).rows().tolist() == [0, 1, 4, 5]
    assert lesson(SPECIALISTS, LABEL, KD).rows().tolist() == [0, 1, 2, 3, 4, 5]


def test_rows_that_are_kept_are_those_on_which_a_teacher_votes():
    found = lesson(SPECIALISTS, KD)
    votes_KB = found.ensemble.votes(found.dataset.batch(np.arange(6), found.dataset.student_labels))
    assert votes_KB.any(dim=0).nonzero().squeeze(-1).tolist() == found.rows().tolist()


def test_a_teacher_of_weight_0_is_not_listened_to():
    found = lesson(SPECIALISTS, KD, teacher_weights={"two": 0.0})
    assert found.heard == (0,)
    assert found.heard_ensemble.names == ("low",)
    assert found.rows().tolist() == [0, 1, 4]
    batch = found.dataset.batch(found.rows())
    assert found.hear(batch, ()).logits.shape == (1, 3, 4)


def test_fixed_weights_say_nothing_to_other_weightings():
    for weighting in ("entropy", "confidence", "learnt"):
        assert lesson(SPECIALISTS, KD, weighting=weighting, teacher_weights={"two": 0.0}).heard == (0, 1)


def test_teachers_who_all_have_weight_0_leave_the_labels():
    silent = {"teacher_weights": {"low": 0.0, "two": 0.0}}
    assert lesson(SPECIALISTS, LABEL, KD, **silent).rows().tolist() == [0, 1, 2, 3, 5]
    with pytest.raises(ValueError, match="no training row teaches anything: none has a label or a teacher"):
        lesson(SPECIALISTS, KD, **silent).rows()


def test_a_teacher_of_weight_0_is_not_needed_to_fit_the_aggregation():
    teachers = {"all": Coverage(), "some": Coverage(labels=(0, 1))}
    with pytest.raises(ValueError, match="cannot average teachers that know only some classes"):
        lesson(teachers, KD, aggregation="mean_of_logits")
    assert lesson(teachers, KD, aggregation="mean_of_logits", teacher_weights={"some": 0.0}).heard == (0,)
