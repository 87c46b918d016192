"""Training: what it learns from, and that it can be stopped, repeated and trusted.

Shape letters: N = rows, K = teachers, B = batch, C = classes.
"""

import math
import pickle
import sys
import time
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Coverage, Outputs
from tests.trials.lessons import (
    KD,
    LABEL,
    Watched,
    accuracy,
    digits,
    perceptron,
    recipe,
    same_state,
    small_dataset,
    taught,
    weights,
)
from trials.distill import DivergedError, distill
from trials.losses import Pairing
from trials.recipe import HARD_LABEL, LossTerm


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_perceptron_learns_digits_from_their_labels_quickly():
    dataset, student = digits(), perceptron(64, 10, 32)
    started = time.process_time()
    history = distill(student, taught(dataset, recipe(epochs=8))).history
    assert time.process_time() - started < 3
    assert not student.training
    assert accuracy(student, dataset, "test") > 0.9
    losses = [record.losses[HARD_LABEL] for record in history]
    assert losses[-1] < losses[0] / 5
    assert [record.epoch for record in history] == list(range(1, 9))
    assert history[-1].learning_rate < history[0].learning_rate


@pytest.mark.parametrize("aggregation", ["mean_of_losses", "mean_of_probabilities", "mean_of_logits"])
def test_teachers_make_up_for_missing_labels(aggregation):
    dataset = digits(labelled=0.02)
    chance = np.random.default_rng(3)
    # Two teachers who are right on the whole, each with errors of its own.
    truth_NC = np.eye(10)[dataset.labels]
    logits_KNC = torch.from_numpy((6 * truth_NC + chance.normal(size=(2, *truth_NC.shape))).astype(np.float32))
    scores = []
    for terms in ((LABEL,), (LABEL, KD)):
        student = perceptron(64, 10, 32)
        lesson = taught(
            dataset, recipe(*terms, epochs=8, aggregation=aggregation), Coverage(), Coverage(), logits_KNC=logits_KNC
        )
        distill(student, lesson)
        scores.append(accuracy(student, dataset, "test"))
    assert scores[1] > scores[0] + 0.1


def test_a_term_of_weight_0_is_as_good_as_none():
    dataset, students = small_dataset(20), [perceptron(), perceptron()]
    distill(students[0], taught(dataset, recipe(LABEL)))
    history = distill(students[1], taught(dataset, recipe(LABEL, replace(KD, weight=0.0)), Coverage())).history
    assert torch.equal(weights(students[0]), weights(students[1]))
    assert set(history[0].losses) == {HARD_LABEL}


def test_hidden_labels_are_not_learnt_from():
    labelled = [True, False] * 10
    truth = np.random.default_rng(0).integers(3, size=20)
    turned = np.where(labelled, truth, (truth + 1) % 3)
    students = [perceptron(), perceptron()]
    for student, labels in zip(students, (truth, turned), strict=True):
        distill(student, taught(small_dataset(20, labels=labels, labelled=labelled), recipe(LABEL, KD), Coverage()))
    assert torch.equal(weights(students[0]), weights(students[1]))


def test_rows_are_those_that_have_a_label_or_a_teacher():
    dataset = small_dataset(6, labels=[0, 1, MISSING_LABEL, MISSING_LABEL, 2, 2], labelled=[True] * 5 + [False])
    x = Coverage(column="style", values=("x",))  # Rows 0, 2, 4.
    assert taught(dataset, recipe(LABEL), x).rows().tolist() == [0, 1, 4]
    assert taught(dataset, recipe(LABEL, KD), x).rows().tolist() == [0, 1, 2, 4]
    assert taught(dataset, recipe(KD), x).rows().tolist() == [0, 2, 4]
    assert taught(dataset, recipe(KD), Coverage()).rows().tolist() == [0, 1, 2, 3, 4, 5]


def test_no_row_that_teaches_is_told():
    dataset = small_dataset(3, labels=[MISSING_LABEL] * 3)
    with pytest.raises(ValueError, match="no training row teaches anything"):
        distill(perceptron(), taught(dataset, recipe(LABEL)))


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    dataset, found = small_dataset(40), []
    for seed in (0, 0, 1):
        student = perceptron(norm=True, dropout=0.3)
        distill(student, taught(dataset, recipe(LABEL, KD), Coverage(), seed=seed))
        found.append(weights(student))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_training_in_two_parts_equals_training_in_one_to_the_last_bit(optimizer):
    lesson = taught(small_dataset(40), recipe(LABEL, KD, optimizer=optimizer), Coverage())

    def student():
        return perceptron(norm=True, dropout=0.3)

    whole, first = student(), student()
    expected = distill(whole, lesson)
    half = pickle.loads(pickle.dumps(distill(first, lesson, until_epoch=2)))
    assert half.epoch == 2
    for _ in range(2):  # Twice, since going on must leave the checkpoint as it is.
        rest = student()
        found = distill(rest, lesson, checkpoint=half)
        assert same_state(found.student, expected.student)
        assert same_state(rest.state_dict(), whole.state_dict())
        assert [record.losses for record in found.history] == [record.losses for record in expected.history]
    assert distill(student(), lesson, checkpoint=expected).history == expected.history


def test_a_checkpoint_stays_as_it_is_when_its_student_goes_on():
    lesson, student = taught(small_dataset(40), recipe()), perceptron()
    checkpoint = distill(student, lesson, until_epoch=2)
    before = pickle.dumps(checkpoint)
    distill(student, lesson, checkpoint=checkpoint)
    assert pickle.dumps(checkpoint) == before


def test_random_state_of_others_is_left_alone():
    student, lesson = perceptron(dropout=0.5), taught(small_dataset(20), recipe(epochs=1))
    before = torch.random.get_rng_state()
    distill(student, lesson)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("rate", [1e30, 1e12])
def test_a_loss_that_is_no_number_is_told(rate):
    lesson = taught(small_dataset(40), recipe(optimizer="sgd", learning_rate=rate, batch_size=4))
    with pytest.raises(DivergedError, match=r"diverged in epoch \d: losses are .*lower learning_rate"):
        distill(perceptron(), lesson)


@pytest.mark.parametrize(("num_rows", "batch_size"), [(3, 2), (7, 2), (5, 4), (33, 32), (95, 64), (2, 64), (41, 8)])
def test_no_step_has_a_single_row_and_each_row_is_seen_once(num_rows, batch_size):
    student = Watched(perceptron(norm=True))
    distill(student, taught(small_dataset(num_rows), recipe(epochs=1, batch_size=batch_size)))
    assert sum(student.sizes) == num_rows
    assert min(student.sizes) >= 2
    assert max(student.sizes) - min(student.sizes) <= 1
    assert max(student.sizes) <= 1.5 * batch_size


@pytest.mark.parametrize(("num_rows", "batch_size"), [(1, 64), (5, 1)])
def test_single_rows_need_a_student_without_batch_norm(num_rows, batch_size):
    lesson = taught(small_dataset(num_rows), recipe(epochs=1, batch_size=batch_size))
    with pytest.raises(ValueError, match=r"batch norm needs at least two rows a step, got batch_size \d+ and \d"):
        distill(perceptron(norm=True), lesson)
    student = Watched(perceptron())
    distill(student, lesson)
    assert student.sizes == [1] * num_rows


class Learnt(nn.Module):
    """A loss with a learnt part."""

    def __init__(self, pairing: Pairing) -> None:
        del pairing
        super().__init__()
        self.map = nn.Linear(3, 3)

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        return (self.map(student.logits) - teacher.logits).square().sum(dim=-1)


def test_learnt_parts_of_a_loss_are_trained_and_kept(monkeypatch):
    module = types.ModuleType("learnt_losses")
    module.Learnt = Learnt
    monkeypatch.setitem(sys.modules, "learnt_losses", module)
    term = LossTerm(name="learnt_losses:Learnt", weight=1.0)
    lesson = taught(small_dataset(40), recipe(term), Coverage())
    expected = distill(perceptron(), lesson)
    half = distill(perceptron(), lesson, until_epoch=2)
    assert not same_state(half.loss, expected.loss)
    assert same_state(distill(perceptron(), lesson, checkpoint=half).loss, expected.loss)


def test_a_device_by_name_gives_the_same_bits():
    students = [perceptron(), perceptron()]
    distill(students[0], taught(small_dataset(20), recipe(LABEL, KD), Coverage()))
    distill(students[1], taught(small_dataset(20), recipe(LABEL, KD), Coverage(), device="cpu"))
    assert torch.equal(weights(students[0]), weights(students[1]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"aggregation": "mean"},
            r"unknown aggregation 'mean'; known are aekd, concatenated_logits, mean_of_logits",
        ),
        ({"weighting": "sure"}, r"unknown weighting 'sure'; known are confidence, entropy, fixed, learnt"),
        ({"optimizer": "adam"}, r"unknown optimizer 'adam'; known are adamw, sgd"),
        ({"schedule": "step"}, r"unknown schedule 'step'; known are constant, cosine, linear"),
    ],
)
def test_unknown_methods_are_answered_with_those_that_are_known(fields, message):
    with pytest.raises(ValueError, match=message):
        taught(small_dataset(4), recipe(**fields))


def test_a_lesson_that_does_not_fit_is_refused():
    dataset = small_dataset(4)
    with pytest.raises(ValueError, match="but there are no teachers"):
        taught(dataset, recipe(KD))
    with pytest.raises(ValueError, match="unknown loss 'kdd'"):
        taught(dataset, recipe(LossTerm(name="kdd", weight=1.0)), Coverage())
    with pytest.raises(ValueError, match="mean_of_logits cannot average teachers that know only some classes"):
        taught(dataset, recipe(KD, aggregation="mean_of_logits"), Coverage(labels=(0, 1)))


def test_losses_of_the_history_are_finite_numbers():
    (record,) = distill(perceptron(), taught(small_dataset(9), recipe(LABEL, KD, epochs=1), Coverage())).history
    assert set(record.losses) == {HARD_LABEL, "kd"}
    assert all(isinstance(value, float) and math.isfinite(value) for value in record.losses.values())
    assert record.seconds > 0
