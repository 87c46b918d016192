"""Training: what it learns from, and that it can be stopped, repeated and trusted.

Shape letters: N = rows, K = teachers, B = batch, C = classes.
"""

import math
import pickle
import sys
import time
import types
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Batch, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.data import READERS, Dataset, split
from trials.distill import DistillationLoss, DivergedError, Lesson, distill
from trials.losses import Pairing
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.tasks import Classification

LABEL = LossTerm(name=HARD_LABEL, weight=1.0)
KD = LossTerm(name="kd", weight=1.0, options={"temperature": 2.0})


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Spoken:
    """Teachers who say what a table holds."""

    def __init__(self, logits_KNC: Tensor) -> None:
        self.logits_KNC = logits_KNC

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        return TeacherOutputs(logits=self.logits_KNC[:, batch.index])


class Watched(nn.Module):
    """A student that notes how many rows each step has."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.sizes: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.sizes.append(len(inputs))
        return self.body(inputs)


def recipe(*terms, **fields):
    return Recipe(losses=terms or (LABEL,), **{"epochs": 4, "batch_size": 32, "learning_rate": 0.01} | fields)


def digits(labelled=1.0, **limit_rows):
    raw = READERS["sklearn"](name="digits")
    return split(raw, validation=0.2, test=0.2, seed=0, labelled=labelled, limit_rows=limit_rows or None)


def small_dataset(num_train, *, labels=None, labelled=None):
    """Rows of two numbers, the last two for validation and test."""
    num_rows = num_train + 2
    chance = np.random.default_rng(0)
    rows = np.arange(num_rows)
    return Dataset(
        inputs=chance.normal(size=(num_rows, 2)).astype(np.float32),
        labels=chance.integers(3, size=num_rows) if labels is None else np.array([*labels, 0, 0]),
        class_names=("a", "b", "c"),
        splits={"train": rows[:-2], "validation": rows[-2:-1], "test": rows[-1:]},
        labelled=None if labelled is None else np.array([*labelled, True, True]),
        columns={"style": np.array(["x", "y"] * num_rows)[:num_rows]},
    )


def taught(dataset, recipe, *coverages, logits_KNC=None, **fields):
    """A lesson, with teachers if coverages are given."""
    if coverages:
        ensemble = TeacherEnsemble(
            {f"t{k}": coverage for k, coverage in enumerate(coverages)},
            num_classes=dataset.num_classes,
            num_rows=len(dataset),
            columns=dataset.columns,
        )
        if logits_KNC is None:
            chance = np.random.default_rng(1)
            logits_KNC = chance.normal(size=(len(coverages), len(dataset), dataset.num_classes))
            logits_KNC = torch.from_numpy(logits_KNC.astype(np.float32))
        fields |= {"ensemble": ensemble, "teachers": Spoken(logits_KNC)}
    task = Classification.for_dataset(dataset)
    return Lesson(dataset=dataset, task=task, recipe=recipe, **{"seed": 0} | fields)


def perceptron(num_inputs=2, num_classes=3, width=16, *, norm=False, dropout=0.0):
    torch.manual_seed(5)
    middle = [nn.BatchNorm1d(width)] if norm else []
    layers = [nn.Linear(num_inputs, width), *middle, nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, num_classes)]
    return nn.Sequential(nn.Flatten(), *layers)


def accuracy(student, dataset, name="validation"):
    batch = dataset.batch(dataset.splits[name])
    with torch.no_grad():
        return float((student(batch.inputs).argmax(dim=-1) == batch.labels).float().mean())


def weights(student):
    return nn.utils.parameters_to_vector(student.parameters()).detach().clone()


def same_state(first, second):
    return all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())


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


def test_each_term_is_the_mean_over_the_rows_that_it_speaks_of():
    labels = (0, MISSING_LABEL, 2, MISSING_LABEL)
    dataset = small_dataset(4, labels=labels)
    x = Coverage(column="style", values=("x",))  # Rows 0 and 2.
    lesson = taught(dataset, recipe(replace(LABEL, weight=3.0), replace(KD, weight=0.5)), x, x)
    batch = dataset.batch(np.arange(4))
    student_BC = torch.from_numpy(np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32))
    loss = DistillationLoss(lesson)
    means = loss(Outputs(logits=student_BC), lesson.teachers(batch), batch)
    log_p_BC = student_BC.double().log_softmax(dim=-1)
    label = -(log_p_BC[0, 0] + log_p_BC[2, 2]) / 2
    divergences = []
    for k in range(2):
        for row in (0, 2):
            p_T = (lesson.teachers.logits_KNC[k, row].double() / 2).softmax(dim=-1)
            p_S = (student_BC[row].double() / 2).softmax(dim=-1)
            divergences.append(4 * (p_T * (p_T / p_S).log()).sum())
    divergence = sum(divergences) / 4  # The mean of two teachers, then of two rows.
    assert means[HARD_LABEL].item() == pytest.approx(label.item(), rel=1e-5)
    assert means["kd"].item() == pytest.approx(divergence.item(), rel=1e-5)
    assert loss.factors(means, epoch=1) == {HARD_LABEL: 3.0, "kd": 0.5}


@pytest.mark.parametrize("weighting", ["fixed", "entropy", "confidence"])
def test_what_is_worked_out_once_where_all_vote_equals_what_is_worked_out_in_each_step(weighting):
    dataset = small_dataset(6)
    taught_recipe = recipe(LABEL, KD, weighting=weighting, teacher_weights={"t0": 3.0})
    lesson = taught(dataset, taught_recipe, Coverage(), Coverage())
    batch = dataset.batch(np.arange(6))
    student = Outputs(logits=torch.randn(6, 3, generator=torch.Generator().manual_seed(0)))
    quick, slow = DistillationLoss(lesson), DistillationLoss(lesson)
    assert quick.all_vote
    slow.all_vote = False
    means = [loss(student, lesson.teachers(batch), batch) for loss in (quick, slow)]
    torch.testing.assert_close(means[0], means[1])


def test_a_batch_without_labels_or_without_teachers_loses_nothing_there():
    dataset = small_dataset(4, labels=[MISSING_LABEL, 1, MISSING_LABEL, 1])
    lesson = taught(dataset, recipe(LABEL, KD), Coverage(column="style", values=("x",)))
    student_BC = torch.zeros(2, 3, requires_grad=True)
    for rows, silent in ((np.array([0, 2]), HARD_LABEL), (np.array([1, 3]), "kd")):
        batch = dataset.batch(rows)
        means = DistillationLoss(lesson)(Outputs(logits=student_BC), lesson.teachers(batch), batch)
        (gradient,) = torch.autograd.grad(means[silent], student_BC)
        assert means[silent].item() == 0
        assert (gradient == 0).all()
        assert all(mean.item() > 0 for name, mean in means.items() if name != silent)


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


@pytest.mark.parametrize("weighting", ["fixed", "entropy", "confidence"])
@pytest.mark.parametrize("coverage", [Coverage(), Coverage(labels=(0, 2), column="style", values=("x",))])
def test_all_that_a_loss_needs_is_on_the_device_of_the_lesson(weighting, coverage):
    # Tensors on the device meta hold no numbers, and cannot be computed with those of the processor.
    lesson = taught(small_dataset(4), recipe(LABEL, KD, weighting=weighting), Coverage(), coverage, device="meta")
    there = torch.device("meta")
    batch = Batch(
        index=torch.arange(4, device=there),
        inputs=torch.zeros(4, 2, device=there),
        labels=torch.zeros(4, dtype=torch.int64, device=there),
    )
    student = Outputs(logits=torch.zeros(4, 3, device=there, requires_grad=True))
    loss = DistillationLoss(lesson)
    means = loss(student, TeacherOutputs(logits=torch.zeros(2, 4, 3, device=there)), batch)
    sum(means.values()).backward()
    assert student.logits.grad.device == there


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


def test_each_epoch_tells_who_moved_the_student():
    dataset = small_dataset(20)
    loud = torch.zeros(2, len(dataset), 3)
    loud[1, :, 0] = 8.0
    lesson = taught(dataset, recipe(LABEL, KD, epochs=2), Coverage(), Coverage(), logits_KNC=loud)
    for record in distill(perceptron(), lesson).history:
        assert set(record.shares) == {HARD_LABEL, "kd"}
        assert sum(record.shares.values()) == pytest.approx(1)
        assert sum(record.teacher_shares.values()) == pytest.approx(1)
        assert record.teacher_shares["t1"] > record.teacher_shares["t0"]


def test_a_term_of_twice_the_weight_has_twice_the_gradient():
    dataset = small_dataset(20)
    ratios = []
    for weight in (1.0, 2.0):
        (record,) = distill(
            perceptron(), taught(dataset, recipe(LABEL, replace(KD, weight=weight), epochs=1), Coverage())
        ).history
        ratios.append(record.shares["kd"] / record.shares[HARD_LABEL])
    assert ratios[1] == pytest.approx(2 * ratios[0], rel=1e-5)


def test_the_balance_by_magnitude_makes_weights_shares_and_goes_on_from_a_checkpoint():
    dataset = small_dataset(40)
    terms = (LABEL, replace(KD, weight=1.0, options={"temperature": 20.0}))
    lesson = taught(dataset, recipe(*terms, balance="magnitude"), Coverage())
    whole = distill(perceptron(), lesson)
    magnitudes = whole.loss["magnitudes"]
    assert (magnitudes > 0).all()
    half = distill(perceptron(), lesson, until_epoch=2)
    assert same_state(distill(perceptron(), lesson, checkpoint=half).loss, whole.loss)
    loss = DistillationLoss(lesson)
    means = {HARD_LABEL: torch.tensor(2.0), "kd": torch.tensor(0.01)}
    factors = loss.factors(means, epoch=1)
    assert [float(means[name] * factors[name]) for name in means] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("size", [3.0, 3e-5, 3e-9])
def test_the_balance_does_not_hang_on_the_unit_of_a_loss(size):
    # Attention transfer on maps of 56 by 56 begins at 3e-5.
    loss = DistillationLoss(taught(small_dataset(40), recipe(LABEL, KD, balance="magnitude"), Coverage()))
    for share in (1.0, 0.5, 0.25):
        means = {HARD_LABEL: torch.tensor(2.0), "kd": torch.tensor(size * share)}
        factors = loss.factors(means, epoch=1)
        ratio = float(means["kd"] * factors["kd"]) / KD.weight
        assert ratio == pytest.approx({1.0: 1.0, 0.5: 0.5 / 0.95, 0.25: 0.25 / 0.88}[share], rel=1e-3)


def test_a_term_that_is_learnt_is_not_blown_up():
    loss = DistillationLoss(taught(small_dataset(40), recipe(LABEL, KD, balance="magnitude"), Coverage()))
    for value in (1.0, *[0.0] * 300):
        factors = loss.factors({HARD_LABEL: torch.tensor(2.0), "kd": torch.tensor(value)}, epoch=1)
    assert float(factors["kd"]) == pytest.approx(1e4 * KD.weight)
    loss = DistillationLoss(taught(small_dataset(40), recipe(LABEL, KD, balance="magnitude"), Coverage()))
    factors = loss.factors({HARD_LABEL: torch.tensor(2.0), "kd": torch.tensor(0.0)}, epoch=1)
    assert float(factors["kd"]) == KD.weight  # Nothing is known of its magnitude yet.


def test_a_term_may_come_in_late_and_rise():
    term = replace(KD, weight=2.0, warmup_epochs=4, first_epoch=2)
    assert [term.weight_in(epoch) for epoch in (1, 2, 3, 4, 9)] == [0.0, 1.0, 1.5, 2.0, 2.0]


def test_a_silent_teacher_is_not_heard():
    dataset = small_dataset(20)
    logits_KNC = torch.randn(3, len(dataset), 3, generator=torch.Generator().manual_seed(0))
    spoken = recipe(LABEL, KD, epochs=2)
    coverages = [Coverage()] * 3
    silenced = distill(
        perceptron(),
        taught(dataset, replace(spoken, taking_part={"t1": False, "t2": True}), *coverages, logits_KNC=logits_KNC),
    )
    two = distill(perceptron(), taught(dataset, spoken, *coverages[:2], logits_KNC=logits_KNC[[0, 2]]))
    assert same_state(silenced.student, two.student)
    with pytest.raises(ValueError, match=r"taking_part names t9; teachers are t0, t1, t2"):
        taught(dataset, replace(spoken, taking_part={"t9": False}), *coverages)


def test_a_student_whose_teachers_are_all_silent_learns_from_labels():
    dataset = small_dataset(20)
    alone = distill(perceptron(), taught(dataset, recipe(LABEL, epochs=2)))
    lesson = taught(dataset, recipe(LABEL, KD, epochs=2, taking_part={"t0": False}), Coverage())
    assert same_state(distill(perceptron(), lesson).student, alone.student)
