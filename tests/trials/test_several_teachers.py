"""Students of several teachers, from the lesson to what is shipped.

Shape letters: N = rows, K = teachers, B = batch, C = classes.
"""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from search_spaces import SPACES, count
from teachers import MISSING_LABEL, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.data import READERS, split
from trials.description import load_student
from trials.distill import DistillationLoss, Lesson, distill
from trials.export import onnx_predictor
from trials.heads import build_student
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import LatencySettings, Limit, Outcome, Trial
from trials.run_trial import Setting, run_trial
from trials.student import normalisation
from trials.tasks import Classification

MLP = SPACES["mlp"]()
VALUES = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.0}
SPEC = MLP.spec(VALUES | {"layer1.width": 24})
LABEL, KD = LossTerm(name=HARD_LABEL, weight=0.5), LossTerm(name="kd", weight=1.0, options={"temperature": 2.0})
RECIPE = Recipe(losses=(LABEL, KD), epochs=4, batch_size=32, learning_rate=0.01)
QUICK = LatencySettings(warmup_runs=1, min_runs=6, seconds=0.0)
EVERYWHERE = {"a": Coverage(), "b": Coverage(), "c": Coverage()}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits():
    return split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=0)


def errant(dataset, num_teachers, noise=1.0):
    """Teachers who are right on the whole, each with errors of its own (K, N, C)."""
    truth_NC = 5 * np.eye(10)[dataset.labels]
    chance = np.random.default_rng(3)
    return torch.from_numpy(
        np.stack([truth_NC + chance.normal(scale=noise, size=truth_NC.shape) for _ in range(num_teachers)])
    ).float()


def setting_of(dataset, coverages=None, logits_KNC=None, **fields):
    coverages = coverages or EVERYWHERE
    logits_KNC = errant(dataset, len(coverages)) if logits_KNC is None else logits_KNC
    return Setting(
        space=MLP,
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        statistics=normalisation(dataset),
        ensemble=TeacherEnsemble(coverages, num_classes=10, num_rows=len(dataset), columns=dataset.columns),
        teachers=lambda batch, features=(): TeacherOutputs(logits=logits_KNC[:, batch.index]),
        latency=QUICK,
        **fields,
    )


def lesson_of(setting, recipe=RECIPE):
    return Lesson(
        dataset=setting.dataset,
        task=setting.task,
        recipe=recipe,
        seed=0,
        ensemble=setting.ensemble,
        teachers=setting.teachers,
    )


def learner(lesson):
    """An untrained student as the lesson's recipe wants it."""
    torch.manual_seed(0)
    return build_student(
        MLP,
        SPEC,
        signature=lesson.task.signature(lesson.dataset),
        statistics=normalisation(lesson.dataset),
        head_weights=lesson.head_weights,
    )


def run(setting, recipe=RECIPE):
    result, artefacts = run_trial(Trial(number=0, spec=SPEC, recipe=recipe, seed=3), setting)
    assert result.error == ""
    return result, artefacts


def accuracy(student, dataset, rows):
    batch = dataset.batch(rows)
    with torch.no_grad():
        return float((student(batch.inputs).argmax(dim=-1) == batch.labels).float().mean())


@pytest.mark.parametrize("aggregation", ["mimic_all", "aekd"])
def test_teachers_make_up_for_missing_labels(digits, aggregation):
    dataset = replace(digits, labelled=np.arange(len(digits)) % 50 == 0)
    result, _ = run(setting_of(dataset), replace(RECIPE, aggregation=aggregation, epochs=8))
    assert result.candidates[0].metrics["accuracy"] > 0.9


def test_what_ships_of_a_student_with_heads_is_the_plain_student(digits, tmp_path):
    setting = setting_of(digits, precisions=("float32", "int8"))
    result, artefacts = run(setting, replace(RECIPE, aggregation="mimic_all"))
    plain, _ = run(setting)
    cost = count(MLP, SPEC, setting.task.signature(digits))
    for candidate, other in zip(result.candidates, plain.candidates, strict=True):
        assert (candidate.metrics["params"], candidate.metrics["macs"]) == (cost.params, cost.macs)
        assert candidate.metrics["size_bytes"] == pytest.approx(other.metrics["size_bytes"], rel=0.01)
        assert candidate.metrics["accuracy"] > 0.9
    assert result.candidates[0].parity_max_abs_difference < 1e-4
    for name, content in artefacts.files.items():
        (tmp_path / name).write_bytes(content)
    student, batch = load_student(tmp_path, MLP.build), digits.batch(digits.splits["validation"])
    with torch.no_grad():
        rebuilt = student(batch.inputs).numpy()
    np.testing.assert_allclose(onnx_predictor(artefacts.files["model.onnx"])(batch.inputs), rebuilt, atol=1e-3)
    right = float((rebuilt.argmax(axis=-1) == batch.labels.numpy()).mean())
    assert right == pytest.approx(result.candidates[0].metrics["accuracy"])
    assert json.loads(artefacts.files["student.json"])["recipe"]["aggregation"] == "mimic_all"


def test_the_gate_judges_a_student_with_heads_by_what_it_would_ship(digits):
    setting = setting_of(digits)
    size = run(setting)[0].candidates[0].metrics["size_bytes"]
    recipe = replace(RECIPE, aggregation="mimic_all", epochs=1)
    outcomes = []
    for share in (0.9, 1.1):
        limit = Limit(metric="size_bytes", at_most=True, value=share * size)
        outcomes.append(run(replace(setting, limits=(limit,)), recipe)[0].outcome)
    assert outcomes == [Outcome.INFEASIBLE, Outcome.TRAINED]


def test_each_head_learns_from_its_own_teacher(digits):
    # The second teacher takes each class for the next one.
    truth_NC = 6 * torch.eye(10)[torch.from_numpy(digits.labels)]
    setting = setting_of(digits, {"a": Coverage(), "b": Coverage()}, torch.stack([truth_NC, truth_NC.roll(1, dims=1)]))
    lesson = lesson_of(setting, replace(RECIPE, losses=(KD,), aggregation="mimic_all", epochs=8))
    student = learner(lesson)
    distill(student, lesson)
    batch = digits.batch(digits.splits["validation"])
    with torch.no_grad():
        answers_BK = student.heads(batch.inputs).argmax(dim=-1)
    for k in range(2):
        assert float((answers_BK[:, k] == (batch.labels + k) % 10).float().mean()) > 0.9


def test_heads_count_in_the_prediction_as_their_teachers_do(digits):
    setting = setting_of(digits)

    def heads(**fields):
        return lesson_of(setting, replace(RECIPE, **{"aggregation": "mimic_all"} | fields)).head_weights

    assert heads() == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert heads(teacher_weights={"a": 0.0, "b": 3.0}) == (0.75, 0.25)
    assert heads(teacher_weights={"a": 5.0}, weighting="entropy") == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert heads(taking_part={"b": False}) == (0.5, 0.5)
    assert heads(taking_part=dict.fromkeys("abc", False)) == ()
    assert heads(aggregation="mean_of_losses") == ()
    assert heads(losses=(LABEL,)) == ()
    assert heads(teacher_weights=dict.fromkeys("abc", 0.0)) == ()
    assert heads(teacher_weights={"a": 0.0}, weighting="entropy") == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_a_teacher_of_weight_0_leaves_a_student_with_heads_as_it_is(digits):
    recipe = replace(RECIPE, aggregation="mimic_all", teacher_weights={"b": 0.0}, epochs=2)
    answers = []
    for noise in (0.0, 50.0):
        logits_KNC = errant(digits, 3)
        logits_KNC[1] += noise
        lesson = lesson_of(setting_of(digits, logits_KNC=logits_KNC), recipe)
        student = learner(lesson)
        distill(student, lesson)
        with torch.no_grad():
            answers.append(student(digits.batch(digits.splits["test"]).inputs))
    assert torch.equal(*answers)


@pytest.mark.parametrize("fields", [{"aggregation": "mimic_all"}, {"aggregation": "aekd"}, {"weighting": "learnt"}])
def test_training_in_two_parts_equals_training_in_one_to_the_last_bit(digits, fields):
    small = replace(digits, splits={**digits.splits, "train": digits.splits["train"][:120]})
    lesson = lesson_of(setting_of(small), replace(RECIPE, **fields))
    whole, first, rest = learner(lesson), learner(lesson), learner(lesson)
    expected = distill(whole, lesson)
    half = pickle.loads(pickle.dumps(distill(first, lesson, until_epoch=2)))
    found = distill(rest, lesson, checkpoint=half)
    for state, other in ((found.student, expected.student), (found.loss, expected.loss)):
        assert state.keys() == other.keys()
        assert all(torch.equal(state[name], other[name]) for name in state)
    assert [record.losses for record in found.history] == [record.losses for record in expected.history]


def test_the_gate_of_learnt_weights_goes_to_the_right_teacher_and_is_told_in_the_history(digits):
    logits_KNC = errant(digits, 3)
    logits_KNC[[0, 2]] = 3 * torch.randn(2, *logits_KNC.shape[1:], generator=torch.Generator().manual_seed(0))
    lesson = lesson_of(setting_of(digits, logits_KNC=logits_KNC), replace(RECIPE, weighting="learnt", epochs=12))
    student = learner(lesson)
    checkpoint = distill(student, lesson)
    gate = [record.losses["gate"] for record in checkpoint.history]
    assert gate[-1] < gate[0]
    measured = [record.shares for record in checkpoint.history if record.shares]
    assert len(measured) > 2
    assert all(set(shares) == {HARD_LABEL, "kd"} for shares in measured)
    shares = checkpoint.history[-1].teacher_shares
    assert shares["b"] > max(shares["a"], shares["c"])
    loss = DistillationLoss(lesson)
    loss.load_state_dict(checkpoint.loss)
    rows = digits.splits["validation"]
    batch = digits.batch(rows)
    weights_KB, _ = loss.weights(TeacherOutputs(logits=logits_KNC[:, rows]), batch)
    assert float(weights_KB[1].detach().mean()) > 0.8
    assert accuracy(student, digits, rows) > 0.9


def test_a_student_s_losses_do_not_move_the_gate(digits):
    lesson = lesson_of(setting_of(digits), replace(RECIPE, weighting="learnt"))
    loss = DistillationLoss(lesson)
    student, batch = learner(lesson), digits.batch(digits.splits["train"][:32])
    means = loss(Outputs(logits=student(batch.inputs)), lesson.hear(batch, ()), batch)
    means["kd"].backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in loss.parameters())
    before = [parameter.grad.clone() for parameter in student.parameters()]
    means["gate"].backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert all(torch.equal(parameter.grad, old) for parameter, old in zip(student.parameters(), before, strict=True))
    assert loss.factors(means, 1)["gate"] == 1.0


def test_learnt_weights_go_with_the_balance_by_magnitude(digits):
    recipe = replace(RECIPE, weighting="learnt", balance="magnitude", epochs=1)
    lesson = lesson_of(setting_of(digits), recipe)
    (record,) = distill(learner(lesson), lesson).history
    assert set(record.losses) == {HARD_LABEL, "kd", "gate"}


def test_learnt_weights_need_a_label(digits):
    bare = replace(digits, labelled=np.zeros(len(digits), dtype=bool))
    with pytest.raises(ValueError, match="learnt learns from labels whom to believe, but no training row has one"):
        lesson_of(setting_of(bare), replace(RECIPE, weighting="learnt"))


@pytest.mark.parametrize("aggregation", ["mean_of_losses", "aekd"])
@pytest.mark.parametrize("weighting", ["fixed", "entropy", "learnt"])
def test_a_student_serves_all_domains_of_teachers_who_are_wrong_abroad(digits, aggregation, weighting):
    domain_N = np.where(np.arange(len(digits)) % 2 == 0, "even", "odd")
    dataset = replace(digits, columns={"domain": domain_N}, labelled=np.arange(len(digits)) % 20 < 2)
    coverages = {name: Coverage(column="domain", values=(name,)) for name in ("even", "odd")}
    truth_NC = 6 * torch.eye(10)[torch.from_numpy(digits.labels)]
    at_home = {name: torch.from_numpy(domain_N == name)[:, None] for name in coverages}
    logits_KNC = torch.stack([torch.where(home, truth_NC, truth_NC.roll(3, dims=1)) for home in at_home.values()])
    setting = setting_of(dataset, coverages, logits_KNC)
    lesson = lesson_of(setting, replace(RECIPE, aggregation=aggregation, weighting=weighting, epochs=6))
    student = learner(lesson)
    distill(student, lesson)
    for name in coverages:
        rows = dataset.splits["test"]
        assert accuracy(student, dataset, rows[domain_N[rows] == name]) > 0.9


def test_specialists_side_by_side_teach_all_classes_without_a_label(digits):
    coverages = {"low": Coverage(labels=tuple(range(5))), "high": Coverage(labels=tuple(range(5, 10)))}
    truth_NC = 6 * torch.eye(10)[torch.from_numpy(digits.labels)]
    # Sure of its own classes, and lukewarm about all of them on rows of others, as a well-calibrated specialist is.
    bare = replace(digits, labelled=np.zeros(len(digits), dtype=bool))
    setting = setting_of(bare, coverages, truth_NC.expand(2, -1, -1))
    recipe = replace(RECIPE, losses=(KD,), epochs=8)
    scores = []
    for aggregation in ("concatenated_logits", "mean_of_losses"):
        lesson = lesson_of(setting, replace(recipe, aggregation=aggregation))
        student = learner(lesson)
        distill(student, lesson)
        scores.append(accuracy(student, digits, digits.splits["test"]))
    assert scores[0] > 0.9
    assert scores[1] < scores[0]


@pytest.mark.parametrize("aggregation", ["mean_of_losses", "mean_of_probabilities", "mimic_all", "aekd"])
def test_teacher_shares_add_up_and_a_teacher_of_weight_0_has_none(digits, aggregation):
    recipe = replace(RECIPE, aggregation=aggregation, teacher_weights={"c": 0.0}, epochs=1)
    lesson = lesson_of(setting_of(digits), recipe)
    (record,) = distill(learner(lesson), lesson).history
    assert sum(record.shares.values()) == pytest.approx(1)
    assert sum(record.teacher_shares.values()) == pytest.approx(1)
    assert record.teacher_shares.keys() == {"a", "b"}
    assert record.teacher_shares["a"] > 0.2


def test_shares_of_a_student_with_heads_are_those_of_the_heads(digits):
    # The heads all start apart; the teacher that a head differs from most moves the student most.
    logits_KNC = errant(digits, 3)
    logits_KNC[1] *= 4
    lesson = lesson_of(setting_of(digits, logits_KNC=logits_KNC), replace(RECIPE, aggregation="mimic_all", epochs=1))
    (record,) = distill(learner(lesson), lesson).history
    assert record.teacher_shares["b"] > max(record.teacher_shares["a"], record.teacher_shares["c"])


def test_lessons_say_which_teachers_do_not_fit(digits):
    few = {"a": Coverage(labels=(0, 1)), "b": Coverage()}
    dataset = replace(digits, columns={"domain": np.where(np.arange(len(digits)) % 2 == 0, "even", "odd")})
    routed = {"a": Coverage(), "b": Coverage(column="domain", values=("odd",))}
    for coverages, aggregation, message in (
        (few, "mimic_all", r"mimic_all needs teachers that cover all classes and rows, which a do not"),
        (routed, "mimic_all", r"mimic_all needs teachers that cover all classes and rows, which b do not"),
        (few, "mean_of_logits", "mean_of_logits cannot average teachers that know only some classes"),
        (few, "concatenated_logits", r"concatenated_logits needs teachers that share no class, but classes 0, 1"),
    ):
        with pytest.raises(ValueError, match=message):
            lesson_of(setting_of(dataset, coverages), replace(RECIPE, aggregation=aggregation))
    # Who is not listened to, is not asked.
    lesson_of(setting_of(digits, few), replace(RECIPE, aggregation="mimic_all", taking_part={"a": False}))


def test_rows_without_a_teacher_are_counted_for_labels_too(digits):
    setting = setting_of(digits, {"a": Coverage(labels=(0, 1, 2)), "b": Coverage(labels=(3, 4))})
    rows = digits.splits["train"]
    assert setting.ensemble.num_unheard(rows, digits.labels[rows]) == int((digits.labels[rows] > 4).sum())
    assert setting.ensemble.num_unheard(rows, np.full(len(rows), MISSING_LABEL)) == 0


@pytest.mark.parametrize("weighting", ["confidence", "entropy", "learnt"])
def test_a_teacher_that_counts_next_to_nothing_still_votes(digits, weighting):
    logits_KNC = errant(digits, 2)
    # One is hopeless and the other sure: the weight of either is rounded to 0.
    logits_KNC[0] = 1e3 * torch.eye(10)[torch.from_numpy(digits.labels)]
    logits_KNC[1] = -logits_KNC[0]
    setting = setting_of(digits, {"a": Coverage(), "b": Coverage()}, logits_KNC)
    loss = DistillationLoss(lesson_of(setting, replace(RECIPE, weighting=weighting)))
    batch = digits.batch(digits.splits["train"][:8])
    weights_KB, heard = loss.weights(setting.teachers(batch), batch)
    assert (weights_KB > 0).all()
    assert heard == 8
