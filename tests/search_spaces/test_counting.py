import pytest
import torch
from torch import Tensor, nn

from search_spaces import (
    Categorical,
    Choice,
    Cost,
    Integer,
    ModelSignature,
    SearchSpace,
    StudentSpec,
    TensorSpec,
    cost_of,
    count,
)

CHOICES = (Choice(name="width", domain=Integer(low=1, high=512)),)
VECTOR = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(6,)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
)
TOKENS = ModelSignature(
    inputs=(TensorSpec(name="tokens", shape=(None,), dtype="int64"),),
    outputs=(TensorSpec(name="logits", shape=(None, 11)),),
    vocabulary_size=11,
)


def space(build: type[nn.Module]) -> tuple[SearchSpace, list[int]]:
    """Make a space, and a list that grows with every module that it builds."""
    built: list[int] = []

    def build_one(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
        del signature
        built.append(int(spec.values["width"]))
        return build(built[-1])

    return SearchSpace(name="counted", choices=CHOICES, build=build_one), built


class Perceptron(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(6, width), nn.BatchNorm1d(width), nn.Linear(width, 3))


class TiedLanguageModel(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, width)
        self.head = nn.Linear(width, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens_BT: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embedding(tokens_BT))
        return logits


class Frozen(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(6, width).requires_grad_(False), nn.Linear(width, 3))


def test_params_and_macs_are_those_by_hand() -> None:
    perceptrons, _ = space(Perceptron)
    cost = count(perceptrons, perceptrons.spec({"width": 5}), VECTOR)
    assert cost == Cost(params=(6 * 5 + 5) + 10 + (5 * 3 + 3), macs=6 * 5 + 5 * 3)


def test_shared_parameters_count_once_and_a_sequence_as_one_token() -> None:
    models, _ = space(TiedLanguageModel)
    assert count(models, models.spec({"width": 5}), TOKENS) == Cost(params=55, macs=55)


def test_frozen_parameters_are_no_parameters_but_compute() -> None:
    models, _ = space(Frozen)
    assert count(models, models.spec({"width": 5}), VECTOR) == Cost(params=18, macs=45)


def test_whole_numbers_that_are_no_tokens_reach_the_student_as_float() -> None:
    raw = ModelSignature(inputs=(TensorSpec(name="input", shape=(6,), dtype="uint8"),), outputs=VECTOR.outputs)
    perceptrons, _ = space(Perceptron)
    spec = perceptrons.spec({"width": 4})
    assert count(perceptrons, spec, raw) == count(perceptrons, spec, VECTOR)


def test_a_student_is_built_once_and_then_remembered() -> None:
    perceptrons, built = space(Perceptron)
    for width in (4, 5, 4, 5):
        count(perceptrons, perceptrons.spec({"width": width}), VECTOR)
    assert built == [4, 5]


def test_spaces_of_one_name_do_not_share_what_is_remembered() -> None:
    perceptrons, frozen = space(Perceptron)[0], space(Frozen)[0]
    spec = perceptrons.spec({"width": 5})
    assert count(perceptrons, spec, VECTOR) != count(frozen, spec, VECTOR)


def test_counting_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    perceptrons, built = space(Perceptron)
    count(perceptrons, perceptrons.spec({"width": 7}), VECTOR)
    assert built == [7]
    assert torch.equal(torch.rand(3), expected)


class ReadsItsNumbers(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(6, width)
        self.scale = float(self.head.weight.detach().abs().max())  # there are none on the meta device

    def forward(self, inputs: Tensor) -> Tensor:
        queries = (self.head(inputs) / self.scale)[:, None]
        return nn.functional.scaled_dot_product_attention(queries, queries, queries)[:, 0]


def test_what_needs_memory_is_counted_on_the_processor_with_its_attention() -> None:
    models, _ = space(ReadsItsNumbers)
    assert count(models, models.spec({"width": 5}), VECTOR) == Cost(params=35, macs=30 + 5 + 5)


def test_what_cannot_run_at_all_is_told_as_it_raised_it() -> None:
    models, _ = space(Perceptron)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        count(models, models.spec({"width": 5}), TOKENS)


def test_closed_form_is_used_where_there_is_one() -> None:
    def build(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
        pytest.fail(f"{spec} was built for {signature}")

    closed = SearchSpace(
        name="closed",
        choices=(Choice(name="kind", domain=Categorical(options=("only",))),),
        build=build,
        cost=lambda spec, signature: Cost(params=len(spec.values), macs=len(signature.inputs)),
    )
    assert cost_of(closed, closed.spec({"kind": "only"}), VECTOR) == Cost(params=1, macs=1)


def test_counted_where_there_is_none() -> None:
    perceptrons, built = space(Perceptron)
    spec = perceptrons.spec({"width": 3})
    assert cost_of(perceptrons, spec, VECTOR) == count(perceptrons, spec, VECTOR)
    assert built == [3]
