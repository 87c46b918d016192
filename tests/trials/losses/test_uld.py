"""Shape letters: K = teachers, n = tokens, V = vocabulary."""

import pytest
import torch

from teachers import SORTED, Outputs, TokenOutputs
from tests.trials.language import lesson, student
from trials.distillation_loss import DistillationLoss
from trials.losses.uld import ULD
from trials.recipe import LossTerm, Recipe
from trials.spoken_tokens import token_speaker
from trials.token_losses import token_means

LABELS = torch.zeros(2, dtype=torch.int64)


def loss(own: list[list[float]], told: list[list[float]]) -> torch.Tensor:
    teacher = Outputs(logits=torch.zeros(1, len(own), 3), features={SORTED: torch.tensor(told)[None]})
    return ULD(None)(Outputs(logits=torch.tensor(own).log()), teacher, LABELS)  # type: ignore[arg-type] # not read


def test_by_hand() -> None:
    found = loss([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]], [[0.6, 0.4], [0.8, 0.1]])
    # Sorted .5 .3 .2 against .6 .4 0, and .8 .1 .1 against .8 .1 0.
    assert found == pytest.approx(torch.tensor([[0.1 + 0.1 + 0.2, 0.1]]))


def test_a_longer_vocabulary_of_the_teacher_is_no_different() -> None:
    assert loss([[0.7, 0.3], [0.5, 0.5]], [[0.5, 0.3, 0.2], [0.5, 0.5, 0.0]]) == pytest.approx(
        torch.tensor([[0.2 + 0.0 + 0.2, 0.0]])
    )


def test_where_the_teacher_has_no_token_nothing_is_lost() -> None:
    assert loss([[0.7, 0.3], [0.5, 0.5]], [[0.0, 0.0], [1.0, 0.0]]).tolist() == [[0.0, pytest.approx(1.0)]]


class _OtherTokens:
    """Says the same of every position, and has one position less than the data."""

    def __init__(self, num_tokens: int) -> None:
        self.num_tokens = num_tokens

    def __call__(self, batch: object, features: object = ()) -> None:
        raise AssertionError("asked about tokens only")

    def of_tokens(self, batch, features=()):
        rows, length = batch.inputs.shape
        told = torch.tensor([0.6, 0.4]).expand(rows, length - 1, 2)
        zeros = torch.zeros(1).expand(rows, length, self.num_tokens)
        return TokenOutputs(logits=(zeros, zeros), features=({SORTED: told}, {SORTED: told}))


@pytest.mark.parametrize("chunk", [None, 4])
def test_the_mean_is_over_the_tokens_of_the_shorter_one(chunk: int | None) -> None:
    recipe = Recipe(losses=(LossTerm(name="uld", weight=1.5),), epochs=1, batch_size=4, learning_rate=1e-2)
    num_tokens = lesson(recipe).dataset.num_classes
    taught = lesson(recipe, teachers=_OtherTokens(num_tokens))
    batch = taught.dataset.batch(taught.rows()[:3])
    model = student(num_tokens)
    from trials.steps import make_steps

    steps = make_steps(model, taught, batch)
    from trials.example import see

    made = DistillationLoss(taught, see(model, steps.example, taught, batch, torch.device("cpu")))
    teachers = steps.hear(batch, (SORTED,), torch.device("cpu"))
    found = token_means(made, token_speaker(model, (), {}, batch)(batch.inputs), teachers, batch, chunk=chunk)["uld"]
    p_M = model(batch.inputs)[:, :-1].softmax(dim=-1).flatten(0, 1).sort(dim=-1, descending=True).values
    told = torch.zeros(num_tokens)
    told[:2] = torch.tensor([0.6, 0.4])
    known = (batch.labels[:, :-1] != -100).flatten()
    assert float(found.detach()) == pytest.approx(float((p_M[known] - told).abs().sum(dim=1).mean().detach()), rel=1e-5)
