"""What a student loses in a step: the terms of its recipe, their shares, and who is heard.

Shape letters: N = rows, K = teachers, B = batch, C = classes.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Batch, Coverage, Outputs, TeacherOutputs
from tests.trials.lessons import KD, LABEL, perceptron, recipe, same_state, small_dataset, taught
from trials.distill import DistillationLoss, distill
from trials.recipe import HARD_LABEL


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
