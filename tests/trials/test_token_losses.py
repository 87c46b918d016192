"""Shape letters: K = teachers, M = tokens, V = vocabulary."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from teachers import Batch, LiveOutputs, Outputs, TokenOutputs
from tests.trials.language import lesson, packed, student, teachers_of
from trials.distill import distill
from trials.distillation_loss import DistillationLoss
from trials.lesson import Lesson
from trials.recipe import LossTerm, Recipe
from trials.spoken_tokens import SpokenTokens, Tokens
from trials.steps import make_steps
from trials.token_losses import token_means

WORD_LEVEL = ("forward_kl", "reverse_kl", "jsd", "skew_kl", "skew_reverse_kl")


def recipe(*losses: LossTerm, **settings: object) -> Recipe:
    return Recipe(losses=losses, epochs=1, batch_size=4, learning_rate=1e-2, **settings)


def means(taught: Lesson, chunk: int | None) -> tuple[dict[str, float], torch.Tensor]:
    """Give the terms of one batch, and the gradient of their sum at all parameters."""
    model = student(taught.dataset.num_classes)
    batch = taught.dataset.batch(taught.rows()[-5:], taught.dataset.student_labels)
    steps = make_steps(model, taught, batch)
    loss = DistillationLoss(taught)
    teachers = steps.hear(batch, (), torch.device("cpu"))
    found = token_means(loss, steps.speak(batch.inputs), teachers, batch, epoch=1, chunk=chunk)
    sum(found.values()).backward()
    gradient = torch.cat([p.grad.flatten() for p in (*model.parameters(), *loss.parameters()) if p.grad is not None])
    return {name: float(value.detach()) for name, value in found.items()}, gradient


@pytest.mark.parametrize("weighting", ["fixed", "entropy", "confidence", "learnt"])
@pytest.mark.parametrize("aggregation", ["mean_of_losses", "mean_of_probabilities", "mean_of_logits"])
def test_chunks_change_neither_terms_nor_gradient(weighting: str, aggregation: str) -> None:
    terms = [LossTerm(name="hard_label", weight=1.0), LossTerm(name="forward_kl", weight=1.0)]
    taught = lesson(recipe(*terms, weighting=weighting, aggregation=aggregation))
    whole, gradient = means(taught, chunk=10_000)
    parts, gradient_of_parts = means(taught, chunk=7)
    assert parts == pytest.approx(whole, rel=1e-6)
    torch.testing.assert_close(gradient_of_parts, gradient, rtol=1e-5, atol=1e-8)


def test_what_compares_tokens_with_each_other_sees_them_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trials.spoken_tokens.LOGITS_AT_A_TIME", 1)
    for settings in ({"aggregation": "aekd"}, {"loss": "dist"}):
        name = settings.pop("loss", "forward_kl")
        options = {"temperature": 1.0} if name == "dist" else {}
        taught = lesson(recipe(LossTerm(name=name, weight=1.0, options=options), **settings))
        assert means(taught, chunk=None)[0] == means(taught, chunk=10_000)[0]


@pytest.mark.parametrize("name", WORD_LEVEL)
def test_word_level_terms_are_means_over_tokens_that_have_a_label(name: str) -> None:
    taught = lesson(recipe(LossTerm(name=name, weight=1.0)))
    batch = taught.dataset.batch(taught.rows()[-5:], taught.dataset.student_labels)
    assert (batch.labels == -100).any()
    model = student(taught.dataset.num_classes)
    expected = []
    for row, labels in enumerate(batch.labels):
        kind = taught.dataset.columns["kind"][int(batch.index[row])]
        teacher = teachers_of(taught.dataset)[0][("even", "odd").index(kind)].model(batch.inputs[row : row + 1])
        q_TV = teacher.logits[0].double().softmax(dim=1)
        p_TV = model(batch.inputs[row : row + 1])[0].double().softmax(dim=1)
        expected += [written_out(name, q_TV[t], p_TV[t]) for t in range(len(labels)) if labels[t] != -100]
    assert means(taught, chunk=None)[0][name] == pytest.approx(float(torch.stack(expected).mean().detach()), rel=1e-5)


def written_out(name: str, teacher: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """The published formulas of one token, with their papers' defaults."""

    def kl(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return (left * (left / right).log()).sum()

    middle, skewed = (teacher + own) / 2, 0.1 * teacher + 0.9 * own
    return {
        "forward_kl": kl(teacher, own),
        "reverse_kl": kl(own, teacher),
        "jsd": kl(teacher, middle) / 2 + kl(own, middle) / 2,
        "skew_kl": kl(teacher, skewed),
        "skew_reverse_kl": kl(own, 0.9 * teacher + 0.1 * own),
    }[name]


def test_kd_at_temperature_1_is_the_forward_divergence() -> None:
    kd = lesson(recipe(LossTerm(name="kd", weight=1.0, options={"temperature": 1.0})))
    forward = lesson(recipe(LossTerm(name="forward_kl", weight=1.0)))
    assert means(kd, chunk=None)[0]["kd"] == pytest.approx(means(forward, chunk=None)[0]["forward_kl"], rel=1e-6)


def test_another_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match=r"temperature 1, got 4 for kd.*use forward_kl"):
        lesson(recipe(LossTerm(name="kd", weight=1.0)))


def test_several_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="one head, which mimic_all cannot use; use mean_of_losses"):
        lesson(recipe(LossTerm(name="forward_kl", weight=1.0), aggregation="mimic_all"))


def test_labels_alone_give_the_cross_entropy() -> None:
    taught = lesson(recipe(LossTerm(name="hard_label", weight=1.0)))
    batch = taught.dataset.batch(taught.rows()[-5:])
    logits = student(taught.dataset.num_classes)(batch.inputs)
    expected = functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=-100)
    assert means(taught, chunk=5)[0] == {"hard_label": pytest.approx(float(expected.detach()), rel=1e-6)}


def test_a_body_without_a_head_of_its_own_is_taught_by_its_logits() -> None:
    taught = lesson(recipe(LossTerm(name="forward_kl", weight=1.0)))
    model = student(taught.dataset.num_classes)
    model.body = torch.nn.Sequential(model.body)
    batch = taught.dataset.batch(taught.rows()[:5])
    answer = make_steps(model, taught, batch).speak(batch.inputs)
    assert isinstance(answer, SpokenTokens)
    assert answer.hidden_BTD.shape[-1] == taught.dataset.num_classes


def test_features_are_compared_row_by_row() -> None:
    hint = LossTerm(name="hint", weight=1.0, options={"layers": "body.mix=hidden"})
    taught = lesson(recipe(hint), teachers=_WithHidden())
    distill(student(taught.dataset.num_classes), taught)


class _WithHidden:
    def __call__(self, batch: Batch, features: object = ()) -> object:
        raise AssertionError("asked about tokens only")

    def of_tokens(self, batch: Batch, features: tuple[str, ...] = ()) -> TokenOutputs:
        loaded, _ = teachers_of(packed()[0])
        logits = tuple(teacher.model(batch.inputs).logits for teacher in loaded)
        inner = {name: torch.ones(*batch.inputs.shape, 8) for name in features}
        return TokenOutputs(logits=logits, features=(inner, inner))


def test_training_lowers_the_divergence_and_tells_who_moves_the_student() -> None:
    terms = (LossTerm(name="hard_label", weight=0.5), LossTerm(name="forward_kl", weight=1.0))
    taught = lesson(Recipe(losses=terms, epochs=6, batch_size=8, learning_rate=5e-2))
    history = distill(student(taught.dataset.num_classes), taught).history
    assert history[-1].losses["forward_kl"] < 0.9 * history[0].losses["forward_kl"]
    assert sum(history[0].shares.values()) == pytest.approx(1)
    assert set(history[0].teacher_shares) == {"even", "odd"}
    assert sum(history[0].teacher_shares.values()) == pytest.approx(1)


def test_tokens_are_those_with_a_label_each_with_its_row() -> None:
    labels = torch.tensor([[3, -100], [4, 5]])
    tokens = Tokens.of(Batch(index=torch.tensor([7, 9]), inputs=labels, labels=labels))
    assert tokens.position.tolist() == [0, 2, 3]
    assert tokens.index.tolist() == [7, 9, 9]
    assert tokens.labels.tolist() == [3, 4, 5]
    assert [len(part) for part in tokens.cut(2)] == [2, 1]


def test_answers_on_the_spot_are_heard_whole() -> None:
    dataset, _ = packed()
    loaded, _ = teachers_of(dataset)
    batch = dataset.batch(np.arange(3))
    heard = LiveOutputs(loaded, num_classes=dataset.num_classes).of_tokens(batch)
    position = torch.tensor([0, 4, 9])
    expected = torch.stack([t.model(batch.inputs).logits.flatten(0, 1)[position] for t in loaded])
    assert torch.equal(heard.at(position).logits, expected)
    assert heard.only([1]).at(position).logits.shape[0] == 1
    assert isinstance(Outputs(logits=expected), Outputs)
