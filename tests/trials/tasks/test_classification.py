import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from search_spaces import TensorSpec
from teachers import MISSING_LABEL, Batch, Outputs
from trials.data import RawData, split
from trials.tasks import TASKS, Classification, Task

TASK: Task = Classification(("a", "b", "c"))


def batches(labels, size=4):
    labels = torch.as_tensor(labels)
    for start in range(0, len(labels), size):
        index = torch.arange(start, min(start + size, len(labels)))
        yield Batch(index=index, inputs=index, labels=labels[index])


def predictor(logits):
    return lambda index: np.asarray(logits, np.float32)[index.numpy()]


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.choice(3, size=50, p=[0.6, 0.3, 0.1])
    logits = rng.normal(size=(50, 3)).astype(np.float32) + np.eye(3, dtype=np.float32)[labels]
    answers = logits.argmax(axis=1)
    found = TASK.evaluate(predictor(logits), batches(labels))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    recall = reference.recall_score(labels, answers, average=None)
    expected = {
        "accuracy": reference.accuracy_score(labels, answers),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, answers),
        "macro_f1": reference.f1_score(labels, answers, average="macro"),
        "cross_entropy": reference.log_loss(labels, probabilities),
        **{f"accuracy.{name}": value for name, value in zip("abc", recall, strict=True)},
    }
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, rel=1e-5)
    assert all(type(value) is float for value in found.values())


def test_classes_that_do_not_occur_count_as_scikit_learn_counts_them():
    labels = [0, 0, 1, 1]
    # The third class is answered once, yet never true: a wrong answer for F1, nothing for balanced accuracy.
    found = TASK.evaluate(predictor(np.eye(3)[[0, 2, 1, 1]]), batches(labels))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(labels, [0, 2, 1, 1], average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert "accuracy.c" not in found
    # Neither true nor answered: left out of both.
    assert TASK.evaluate(predictor(np.eye(3)[labels]), batches(labels))["macro_f1"] == 1


def test_the_size_of_batches_does_not_matter():
    labels = [0, 1, 2, 2, 1]
    logits = np.random.default_rng(1).normal(size=(5, 3))
    one, all_ = (TASK.evaluate(predictor(logits), batches(labels, size)) for size in (1, 5))
    assert one == pytest.approx(all_)


def test_rows_without_a_label_are_left_out():
    logits = np.eye(3)[[0, 1, 2, 0]]
    some = TASK.evaluate(predictor(logits), batches([0, MISSING_LABEL, 2, 1], 2))
    assert some == TASK.evaluate(predictor(logits[[0, 2, 3]]), batches([0, 2, 1]))
    with pytest.raises(ValueError, match="no row has a label"):
        TASK.evaluate(predictor(logits), batches([MISSING_LABEL] * 4))


def test_nan_is_no_answer():
    logits = np.eye(3)
    logits[1, 2] = np.nan
    found = TASK.evaluate(predictor(logits), batches([0, 1, 2]))
    assert {metric.name for metric in TASK.metrics} <= set(found)
    assert all(math.isnan(value) for value in found.values())


def test_large_logits_do_not_overflow():
    found = TASK.evaluate(predictor([[1e4, 0, 0], [0, 1e4, 0]]), batches([0, 0]))
    assert found["cross_entropy"] == pytest.approx(5000)


def test_another_number_of_outputs_is_named():
    with pytest.raises(
        ValueError, match=r"expected logits of shape \(2, 3\) for the 3 classes, the model gives \(2, 4\)"
    ):
        TASK.evaluate(predictor(np.zeros((2, 4))), batches([0, 1]))


def test_even_guessing_reaches_chance_on_even_classes():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(3), 10_000)
    guesses = np.eye(3)[rng.integers(3, size=30_000)]
    found = TASK.evaluate(predictor(guesses), batches(labels, 30_000))
    chance = {metric.name: metric.chance for metric in TASK.metrics}
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert found[name] == pytest.approx(chance[name], abs=0.01)
    even = TASK.evaluate(predictor(np.zeros((3, 3))), batches([0, 1, 2]))
    assert even["cross_entropy"] == pytest.approx(chance["cross_entropy"])


def test_accuracy_comes_first_and_a_perfect_model_reaches_the_best():
    assert TASK.metrics[0].name == "accuracy"
    found = TASK.evaluate(predictor(np.eye(3) * 100), batches([0, 1, 2]))
    for metric in TASK.metrics:
        assert found[metric.name] == pytest.approx(metric.best)
        assert (metric.best > metric.chance) == metric.higher_is_better


def test_hard_label_loss_by_hand_and_nothing_without_a_label():
    logits = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [5.0, 1.0, 0.0]], requires_grad=True)
    loss_B = TASK.hard_label_loss(Outputs(logits=logits), torch.tensor([1, 0, MISSING_LABEL]))
    expected = [math.log(3), math.log(math.exp(2) + 2) - 2, 0]
    torch.testing.assert_close(loss_B.detach(), torch.tensor(expected))
    loss_B.sum().backward()
    assert not logits.grad[2].any()
    assert logits.grad[:2].any(dim=1).all()


def raw(inputs):
    return RawData(inputs=inputs, labels=np.arange(10) % 2, class_names=("x", "y"))


def test_signature_is_the_raw_row_and_one_logit_a_class():
    dataset = split(raw(np.zeros((10, 3, 4, 5), np.uint8)), validation=0.3, test=0.3, seed=0)
    task = TASKS["classification"].for_dataset(dataset)
    assert task == Classification(("x", "y"))
    signature = task.signature(dataset)
    assert signature.inputs == (TensorSpec(name="input", shape=(3, 4, 5), dtype="uint8"),)
    assert signature.outputs == (TensorSpec(name="logits", shape=(2,)),)


def test_texts_are_seen_as_token_ids_of_any_number():
    dataset = replace(split(raw(np.ones((10, 4), np.int64)), validation=0.3, test=0.3, seed=0), vocabulary_size=7)
    signature = TASKS["classification"].for_dataset(dataset).signature(dataset)
    assert signature.inputs == (TensorSpec(name="input_ids", shape=(None,), dtype="int64"),)
    assert signature.vocabulary_size == 7


@pytest.mark.parametrize(("names", "got"), [((), "none"), (("0",), "one: '0'"), (("a", "a"), "'a', 'a'")])
def test_fewer_than_two_classes_are_no_task(names, got):
    with pytest.raises(ValueError, match=rf"at least two classes of different names, got {got}$"):
        Classification(names)
