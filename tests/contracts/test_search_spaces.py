"""What every search space must keep. A new one joins with one line in ``SUBJECTS``."""

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
import torch
from torch import nn

from search_spaces import (
    SPACES,
    Categorical,
    Choice,
    Integer,
    ModelSignature,
    Real,
    SearchSpace,
    StudentSpec,
    TensorSpec,
    check_values,
    convnet,
    cost_of,
    count,
    crossover,
    decoder,
    encode,
    encoder,
    encoding_columns,
    equals,
    factory,
    mlp,
    mutate,
    neighbours,
    nni_space,
    sample,
    size,
    timm_models,
    transformers_models,
)

NUM_SPECS = 6
VOCABULARY_SIZE = 30
NUM_TOKENS = 11
"""Of the texts, at most as long as any student of texts here reads."""


def signature(input_shape: tuple[int, ...], output_shape: tuple[int, ...] = (10,)) -> ModelSignature:
    return ModelSignature(
        inputs=(TensorSpec(name="input", shape=input_shape),), outputs=(TensorSpec(name="logits", shape=output_shape),)
    )


def texts(output_shape: tuple[int | None, ...]) -> ModelSignature:
    return ModelSignature(
        inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
        outputs=(TensorSpec(name="logits", shape=output_shape),),
        vocabulary_size=VOCABULARY_SIZE,
    )


def inputs(signature: ModelSignature, batch: int) -> torch.Tensor:
    """Draw inputs; texts are of different lengths, and the first fills its row."""
    if signature.vocabulary_size is None:
        return torch.randn(batch, *signature.sole_input_shape)
    tokens = torch.randint(1, signature.vocabulary_size, (batch, NUM_TOKENS))
    lengths = torch.randint(1, NUM_TOKENS + 1, (batch, 1))
    lengths[0] = NUM_TOKENS
    return tokens.where(torch.arange(NUM_TOKENS) < lengths, 0)


def output_shape(signature: ModelSignature) -> tuple[int, ...]:
    return tuple(NUM_TOKENS if size is None else size for size in signature.outputs[0].shape)


def build_own(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """A user's own space: one hidden layer of a kind, without a closed-form cost."""
    slope = float(spec.values.get("leaky.slope", 0.0))
    (num_inputs,), (num_outputs,) = signature.sole_input_shape, signature.sole_output_shape
    width = int(spec.values["width"])
    return nn.Sequential(nn.Linear(num_inputs, width), nn.LeakyReLU(slope), nn.Linear(width, num_outputs))


OWN = SearchSpace(
    name="own",
    choices=(
        Choice(name="width", domain=Integer(low=2, high=64, log=True)),
        Choice(name="leaky", domain=Categorical(options=(False, True))),
        Choice(name="leaky.slope", domain=Real(low=1e-3, high=0.3, log=True), when=equals("leaky", True)),
    ),
    build=build_own,
)


@dataclass(frozen=True)
class Subject:
    make: Callable[[], SearchSpace]
    signatures: tuple[ModelSignature, ...]

    @cached_property
    def space(self) -> SearchSpace:
        return self.make()


VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "patch_size": 2}
SUBJECTS = {
    "mlp": Subject(mlp, (signature((1, 8, 8)), signature((5,), (3, 4)))),
    "convnet": Subject(convnet, (signature((1, 8, 8)), signature((3, 37, 6), (2, 2)))),
    "encoder": Subject(lambda: encoder(lengths=(12, 20), max_width=64), (texts((10,)), texts((2, 3)))),
    "decoder": Subject(lambda: decoder(lengths=(12, 20), max_width=64), (texts((None, VOCABULARY_SIZE)),)),
    "own": Subject(lambda: OWN, (signature((7,)),)),
    "factory": Subject(
        lambda: factory(factory="search_spaces.layers:head", arguments={"in_features": 7, "output_shape": [10]}),
        (signature((7,)),),
    ),
    "transformers": Subject(
        lambda: transformers_models(model="vit", **VIT), (signature((1, 8, 8)), signature((3, 4, 6), (3,)))
    ),
    "nni": Subject(
        lambda: nni_space(factory="tests.search_spaces.nni_models:Convnet"),
        (signature((1, 8, 8)), signature((1, 5, 7), (3,))),
    ),
    "timm": Subject(lambda: timm_models(models=["test_resnet", "test_efficientnet"]), (signature((1, 32, 32)),)),
}


@pytest.fixture(params=SUBJECTS, autouse=True)
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "timm":
        pytest.importorskip("timm", reason="timm is an optional extra")
    return SUBJECTS[request.param]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small layers gain nothing from threads, and lose much where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def specs(subject: Subject, rng: np.random.Generator) -> Iterator[tuple[StudentSpec, ModelSignature]]:
    for signature_ in subject.signatures:
        for _ in range(NUM_SPECS):
            yield subject.space.spec(sample(subject.space.choices, rng)), signature_


def test_every_catalog_space_is_a_subject(subject: Subject) -> None:
    assert set(SPACES) <= set(SUBJECTS)
    assert subject is SUBJECTS[subject.space.name]


def test_every_sampled_spec_builds_and_answers_in_the_signature_shape(
    subject: Subject, rng: np.random.Generator
) -> None:
    for spec, signature_ in specs(subject, rng):
        model = subject.space.build(spec, signature_)
        output = model(inputs(signature_, 2))
        assert output.shape == (2, *output_shape(signature_)), spec


def test_outputs_of_an_untrained_student_are_neither_dead_nor_huge(subject: Subject, rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    for spec, signature_ in specs(subject, rng):
        output = subject.space.build(spec, signature_)(inputs(signature_, 64))
        assert 1e-3 < output.std() < 30, spec


def test_every_parameter_gets_a_gradient(subject: Subject, rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    for spec, signature_ in specs(subject, rng):
        model = subject.space.build(spec, signature_)
        model(inputs(signature_, 8)).square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters()), spec


def test_one_sample_does_not_change_the_answer_for_another(subject: Subject, rng: np.random.Generator) -> None:
    for spec, signature_ in specs(subject, rng):
        model = subject.space.build(spec, signature_).eval()
        batch = inputs(signature_, 3)
        torch.testing.assert_close(model(batch)[1:2], model(batch[1:2]), rtol=1e-4, atol=1e-4)


def test_closed_form_cost_equals_the_counted_one(subject: Subject, rng: np.random.Generator) -> None:
    for spec, signature_ in specs(subject, rng):
        counted = count(subject.space, spec, signature_)
        assert cost_of(subject.space, spec, signature_) == counted, spec
        assert counted.params > 0
        assert counted.macs > 0


def test_build_depends_on_the_seed_alone(subject: Subject, rng: np.random.Generator) -> None:
    spec, signature_ = next(specs(subject, rng))

    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(subject.space.build(spec, signature_).parameters())

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_specs_survive_json_with_the_same_digest(subject: Subject, rng: np.random.Generator) -> None:
    for spec, _ in specs(subject, rng):
        values = json.loads(json.dumps(dict(reversed(spec.values.items()))))
        again = subject.space.spec(values)
        assert again == spec
        assert again.architecture_digest == spec.architecture_digest


def test_space_can_be_sent_to_another_process(subject: Subject) -> None:
    again = pickle.loads(pickle.dumps(subject.space))
    points = [sample(space.choices, np.random.default_rng(3)) for space in (subject.space, again)]
    assert points[0] == points[1]


def test_changed_and_mixed_points_stay_in_the_space(subject: Subject, rng: np.random.Generator) -> None:
    choices = subject.space.choices
    if subject.space.only_values is not None:
        assert mutate(choices, subject.space.only_values, rng) == subject.space.only_values
        return
    first, second = sample(choices, rng), sample(choices, rng)
    for num_changes in (1, 2, 5) * 20:
        changed = mutate(choices, first, rng, num_changes=num_changes)
        check_values(choices, changed)
        assert changed != first
        mixed = crossover(choices, changed, second, rng)
        check_values(choices, mixed)
        first, second = changed, mixed
    for neighbour in neighbours(choices, first):
        check_values(choices, neighbour)
        assert neighbour != first


def test_different_points_are_encoded_differently_and_equally_long(subject: Subject, rng: np.random.Generator) -> None:
    choices = subject.space.choices
    points = [sample(choices, rng) for _ in range(50)]
    points += [neighbour for point in points[:10] for neighbour in neighbours(choices, point)]
    digests: dict[bytes, str] = {}
    for point in points:
        (encoded,) = encode(choices, [point])
        assert encoded.shape == (len(encoding_columns(choices)),)
        assert ((encoded >= 0) & (encoded <= 1)).all()
        digest = subject.space.spec(point).architecture_digest
        assert digests.setdefault(encoded.tobytes(), digest) == digest


def test_size_is_known_unless_a_real_number_is_chosen(subject: Subject) -> None:
    has_real = any(isinstance(choice.domain, Real) for choice in subject.space.choices)
    assert (size(subject.space.choices) is None) == has_real
