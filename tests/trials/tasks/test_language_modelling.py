"""Shape letters: B = batch, T = positions, V = vocabulary."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from teachers import Batch, Inputs, Outputs
from tests.trials.language import packed
from trials.syntax import ROLES
from trials.tasks import METRICS, LanguageModelling, Task

TASK = LanguageModelling(
    bytes_V=np.array([0, 0, 1, 3]), columns={"kind": np.array(["code", "prose"]), "of": np.array([1, 1])}
)
LABELS = torch.tensor([[2, 3, 1], [3, -100, -100]])
BATCH = Batch(index=torch.tensor([0, 1]), inputs=torch.zeros(2, 3, dtype=torch.int64), labels=LABELS)


def even(inputs: Inputs) -> np.ndarray:
    assert isinstance(inputs, torch.Tensor)
    return np.zeros((*inputs.shape, 4), dtype=np.float32)


def test_even_guessing_costs_the_logarithm_of_the_vocabulary() -> None:
    scores = TASK.evaluate(even, [BATCH])
    assert scores["cross_entropy"] == pytest.approx(math.log(4))
    assert scores["perplexity"] == pytest.approx(4)
    assert scores["bits_per_byte"] == pytest.approx(4 * 2 / 7)  # Four tokens of two bits, for 1 + 3 + 0 + 3 bytes.


def test_values_of_columns_are_judged_apart() -> None:
    scores = TASK.evaluate(even, [BATCH])
    assert scores["bits_per_byte.kind=code"] == pytest.approx(3 * 2 / 4)
    assert scores["bits_per_byte.kind=prose"] == pytest.approx(2 / 3)
    assert scores["bits_per_byte.of=1"] == scores["bits_per_byte"]


def test_syntax_roles_are_judged_apart() -> None:
    role_BT = torch.full((2, 3), -1)
    role_BT[0, 0], role_BT[1, 0] = ROLES.index("keyword"), ROLES.index("comment")
    role_BT[1, 1] = ROLES.index("comment")  # It has no label.
    scores = TASK.evaluate(even, [replace(BATCH, facts={"next.role": role_BT})])
    assert scores["bits_per_byte.role=keyword"] == pytest.approx(2)
    assert scores["bits_per_byte.role=comment"] == pytest.approx(2 / 3)
    assert {name for name in scores if "role" in name} == {
        f"bits_per_byte.role={role}" for role in ("keyword", "comment")
    }


def test_batches_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    logits = {0: rng.normal(size=(3, 4)), 1: rng.normal(size=(3, 4))}
    halves = [
        Batch(index=BATCH.index[n : n + 1], inputs=torch.full((1, 3), n), labels=LABELS[n : n + 1]) for n in (0, 1)
    ]
    together = Batch(index=BATCH.index, inputs=torch.tensor([[0] * 3, [1] * 3]), labels=LABELS)

    def predict(inputs: Inputs) -> np.ndarray:
        assert isinstance(inputs, torch.Tensor)
        return np.stack([logits[int(row[0])] for row in inputs])

    assert TASK.evaluate(predict, halves) == pytest.approx(TASK.evaluate(predict, [together]))


def test_accuracy_counts_the_tokens_that_are_found() -> None:
    def predict(inputs: Inputs) -> np.ndarray:
        answer = even(inputs)
        answer[..., 3] = 1
        return answer

    assert TASK.evaluate(predict, [BATCH])["accuracy"] == 0.5


def test_nan_spoils_all_metrics() -> None:
    def predict(inputs: Inputs) -> np.ndarray:
        return even(inputs) * np.nan

    assert all(math.isnan(value) for value in TASK.evaluate(predict, [BATCH]).values())


def test_a_wrong_shape_is_told() -> None:
    with pytest.raises(ValueError, match=r"expected logits of shape \(2, 3, 4\), the model gives \(2, 4\)"):
        TASK.evaluate(lambda inputs: even(inputs)[:, 0], [BATCH])


def test_no_label_at_all_is_told() -> None:
    unknown = Batch(index=BATCH.index, inputs=BATCH.inputs, labels=torch.full((2, 3), -100))
    with pytest.raises(ValueError, match="no token has a label"):
        TASK.evaluate(even, [unknown])


def test_the_first_metric_is_bits_per_byte_with_eight_by_chance() -> None:
    first = TASK.metrics[0]
    assert (first.name, first.higher_is_better, first.chance) == ("bits_per_byte", False, 8.0)
    assert [metric.name for metric in TASK.metrics] == [metric.name for metric in METRICS["language_modelling"]]
    scores = TASK.evaluate(even, [BATCH])
    assert [scores[metric.name] for metric in TASK.metrics[1:3]] == pytest.approx([m.chance for m in TASK.metrics[1:3]])


def test_signature_is_of_token_ids_of_any_length() -> None:
    dataset, task = packed()
    signature = task.signature(dataset)
    (given,) = signature.inputs
    assert (given.name, given.shape, given.dtype) == ("input_ids", (None,), "int64")
    assert signature.outputs[0].shape == (None, dataset.num_classes)
    assert signature.vocabulary_size == dataset.num_classes
    whole: Task = task
    assert whole.metrics == task.metrics


def test_the_loss_of_a_token_is_its_cross_entropy() -> None:
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    loss = TASK.hard_label_loss(Outputs(logits=logits), LABELS)
    assert loss.shape == LABELS.shape
    assert (loss[LABELS == -100] == 0).all()
    assert loss[0, 1] == pytest.approx(float(-logits[0, 1].log_softmax(dim=0)[3]))
