"""Scores of untrained students against values that were found otherwise."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trials.proxies import PROXIES, Answers, ProxyBatch
from trials.proxies.naswot import naswot
from trials.proxies.params import params
from trials.proxies.relations import distance, relations
from trials.proxies.synflow import synflow

BATCH = ProxyBatch(inputs=torch.randn(12, 5, generator=torch.Generator().manual_seed(0)))


def net(*widths: int, seed: int = 0, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), activation()]
    return nn.Sequential(*layers[:-1])


def with_teachers(logits_KBC: Tensor, inputs: Tensor | None = None, **changes: Tensor) -> ProxyBatch:
    num_teachers, rows, classes = logits_KBC.shape
    usual: dict[str, Tensor] = {
        "votes_KB": torch.ones(num_teachers, rows),
        "known_KC": torch.ones(num_teachers, classes, dtype=torch.bool),
        "weight_K": torch.ones(num_teachers),
    }
    given = BATCH.inputs if inputs is None else inputs
    return ProxyBatch(inputs=given, answers=Answers(logits_KBC=logits_KBC, **{**usual, **changes}))


def test_params_counts_what_is_trained() -> None:
    body = net(5, 7, 3)
    assert params(body, BATCH) == 5 * 7 + 7 + 7 * 3 + 3
    body[0].bias.requires_grad_(False)
    assert params(body, BATCH) == 5 * 7 + 7 * 3 + 3


def test_synflow_of_two_linear_layers_by_hand() -> None:
    body = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        body[0].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.5]]))
        body[1].weight.copy_(torch.tensor([[-2.0, 4.0]]))
    # R = 2 (1 + 2) + 4 (3 + .5) = 20. Each layer's parameters share out all of it: both together make 40.
    assert synflow(body, ProxyBatch(inputs=torch.zeros(3, 2))) == pytest.approx(math.log(40))


def test_synflow_adds_the_flow_of_biases_and_knows_no_signs() -> None:
    body = nn.Linear(3, 1)
    with torch.no_grad():
        body.weight.copy_(torch.tensor([[1.0, -1.0, 2.0]]))
        body.bias.fill_(-5.0)
    assert synflow(body, ProxyBatch(inputs=torch.zeros(1, 3))) == pytest.approx(math.log(4 + 5))
    assert body.bias.item() == -5.0


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.GroupNorm(2, 4)])
def test_synflow_leaves_normalisation_out(norm: nn.Module) -> None:
    torch.manual_seed(0)
    first, last = nn.Linear(5, 4), nn.Linear(4, 2)
    batch = ProxyBatch(inputs=torch.zeros(1, 5))
    normalised = nn.Sequential(first, nn.Sequential(norm, nn.ReLU()), last)
    assert synflow(normalised, batch) == synflow(nn.Sequential(first, nn.ReLU(), last), batch)
    assert normalised[1][0] is norm


def test_synflow_of_a_deep_and_wide_student_is_finite_where_float32_is_not() -> None:
    body = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(60)))
    with torch.no_grad():
        for layer in body:
            layer.weight.fill_(0.5)
    # Each layer multiplies by 32, from 64 outputs of 32 on; all 60 layers share out the same flow.
    expected = math.log(60) + math.log(64) + 60 * math.log(32)
    assert expected > math.log(torch.finfo(torch.float32).max)
    assert synflow(body, ProxyBatch(inputs=torch.zeros(1, 64))) == pytest.approx(expected)


def test_synflow_needs_numbers_and_a_flow() -> None:
    with pytest.raises(ValueError, match="takes tokens"):
        synflow(net(5, 3), ProxyBatch(inputs=torch.zeros(2, 5, dtype=torch.int64)))
    body = nn.Linear(5, 3)
    nn.init.zeros_(body.weight)
    nn.init.zeros_(body.bias)
    with pytest.raises(ValueError, match="nothing that can be compared flows"):
        synflow(body, BATCH)


@pytest.mark.parametrize("widths", [(5, 64, 64, 3), (5, 4, 3)], ids=["many units", "fewer units than samples"])
def test_naswot_is_the_log_determinant_of_agreements(widths: tuple[int, ...]) -> None:
    body = net(*widths)
    value = BATCH.inputs.numpy().astype(np.float64)
    codes = []
    for layer in body:
        if isinstance(layer, nn.Linear):
            before = value @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            value = np.maximum(before, 0)
            codes.append(before > 0)
    code = np.concatenate(codes[:-1], axis=1)  # Nothing is switched after the last layer.
    agree = np.array([[np.sum(one == other) for other in code] for one in code], dtype=np.float64)
    _, expected = np.linalg.slogdet(agree + 1e-3 * np.eye(len(agree)))
    assert naswot(body, BATCH) == pytest.approx(expected, abs=1e-5)


def test_naswot_prefers_what_tells_samples_apart_and_leaves_no_hook() -> None:
    body = net(5, 32, 3)
    alike = ProxyBatch(inputs=BATCH.inputs[:1] + 0.001 * BATCH.inputs)
    assert naswot(body, BATCH) > naswot(body, alike)
    assert all(not module._forward_pre_hooks for module in body.modules())


def test_naswot_needs_activations() -> None:
    with pytest.raises(ValueError, match="activation modules, and this student has none"):
        naswot(nn.Linear(5, 3), BATCH)


def test_naswot_sees_a_student_with_batch_normalisation_as_it_trains() -> None:
    torch.manual_seed(0)
    linear, norm, dropout = nn.Linear(5, 32), nn.BatchNorm1d(32), nn.Dropout(0.5)
    shifted = ProxyBatch(inputs=BATCH.inputs + 100.0)
    # Normalised by the batch, a shift of all samples changes nothing; as in prediction it would hide what differs.
    body = nn.Sequential(linear, norm, nn.ReLU(), dropout, nn.Linear(32, 3))
    assert naswot(body, shifted) == pytest.approx(naswot(body, BATCH), rel=1e-3)
    assert naswot(nn.Sequential(linear, nn.ReLU()), shifted) < naswot(nn.Sequential(linear, nn.ReLU()), BATCH) - 10
    assert int(norm.num_batches_tracked) == 0


def test_the_distance_of_relations_by_hand() -> None:
    # Centred: (-1, 0), (1, 0), (0, 0) against (0, -1), (0, 0), (0, 1): cosines differ in five of nine places.
    one = torch.tensor([[0.0, 1.0], [2.0, 1.0], [1.0, 1.0]])
    other = torch.tensor([[3.0, 0.0], [3.0, 1.0], [3.0, 2.0]])
    cosines = [np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 0]]), np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]])]
    assert distance(one, other) == pytest.approx(np.sqrt(np.mean((cosines[0] - cosines[1]) ** 2)))


def numpy_relations(feature: np.ndarray, student: np.ndarray, teacher: np.ndarray) -> float:
    """Compare with one teacher, by numpy's own correlation for the classes."""

    def cosines(rows: np.ndarray) -> np.ndarray:
        moved = rows - rows.mean(axis=0)
        unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        return unit @ unit.T

    of_samples = np.sqrt(np.mean((cosines(feature) - cosines(teacher)) ** 2))
    of_classes = np.sqrt(np.mean((np.corrcoef(student.T) - np.corrcoef(teacher.T)) ** 2))
    return float(of_samples + of_classes)


def test_relations_are_the_weighted_mean_over_teachers_where_each_speaks() -> None:
    body = net(5, 16, 6)
    logits_KBC = torch.randn(2, 12, 6, generator=torch.Generator().manual_seed(1))
    votes_KB = torch.ones(2, 12)
    votes_KB[1, 8:] = 0
    known_KC = torch.ones(2, 6, dtype=torch.bool)
    known_KC[1, 4:] = False
    batch = with_teachers(logits_KBC, votes_KB=votes_KB, known_KC=known_KC, weight_K=torch.tensor([3.0, 1.0]))
    with torch.no_grad():
        feature = body[1](body[0](batch.inputs)).double().numpy()
        student = body(batch.inputs).double().numpy()
    teachers = logits_KBC.double().numpy()
    first = numpy_relations(feature, student, teachers[0])
    second = numpy_relations(feature[:8], student[:8, :4], teachers[1, :8, :4])
    assert relations(body, batch) == pytest.approx(-(3 * first + second) / 4, abs=1e-6)


def test_features_of_a_teacher_relate_samples_beside_its_logits() -> None:
    body = net(5, 16, 6)
    logits_KBC = torch.randn(1, 12, 6, generator=torch.Generator().manual_seed(1))
    inner = torch.randn(12, 2, 3, generator=torch.Generator().manual_seed(2))
    batch = with_teachers(logits_KBC)
    assert batch.answers is not None
    with_features = ProxyBatch(inputs=batch.inputs, answers=replace(batch.answers, features=({"last": inner},)))
    with torch.no_grad():
        feature = body[1](body[0](batch.inputs)).double()
        student = body(batch.inputs).double()
    teacher = logits_KBC[0].double()
    of_samples = (distance(feature, teacher) + distance(feature, inner.flatten(1).double())) / 2
    expected = -(of_samples + distance(student.T, teacher.T, centred=1))
    assert relations(body, with_features) == pytest.approx(expected)
    assert relations(body, batch) != pytest.approx(expected)


def test_relations_do_not_mind_the_order_of_teachers_nor_what_is_silent() -> None:
    body = net(5, 16, 6)
    logits_KBC = torch.randn(3, 12, 6, generator=torch.Generator().manual_seed(1))
    weight_K = torch.tensor([1.0, 2.0, 0.0])
    one = relations(body, with_teachers(logits_KBC, weight_K=weight_K))
    other = relations(body, with_teachers(logits_KBC[[1, 0]], weight_K=weight_K[[1, 0]]))
    assert one == pytest.approx(other)


def test_a_student_that_is_its_teacher_has_the_highest_score() -> None:
    body = nn.Sequential(nn.Identity())
    batch = with_teachers(BATCH.inputs[None] * 3.0 + 1.0)
    assert relations(body, batch) == pytest.approx(0.0, abs=1e-6)
    assert relations(net(5, 5), batch) < -0.01


@pytest.mark.parametrize(
    "batch",
    [
        BATCH,
        with_teachers(torch.zeros(1, 12, 5), votes_KB=torch.zeros(1, 12)),
        with_teachers(torch.zeros(1, 12, 5), weight_K=torch.zeros(1)),
    ],
    ids=["no teachers", "nobody votes", "nobody counts"],
)
def test_relations_need_teachers_that_speak(batch: ProxyBatch) -> None:
    with pytest.raises(ValueError, match=r"there are none|no teacher that counts votes"):
        relations(net(5, 5), batch)


@pytest.mark.parametrize("name", PROXIES)
def test_a_score_is_the_same_twice_and_leaves_the_student_as_it_was(name: str) -> None:
    body = net(5, 16, 6, activation=nn.GELU)
    batch = with_teachers(torch.randn(1, 12, 6, generator=torch.Generator().manual_seed(1)))
    before = {key: value.clone() for key, value in body.state_dict().items()}
    first = PROXIES[name](body, batch)
    assert math.isfinite(first)
    assert PROXIES[name](body, batch) == first
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())
    assert body.training
    assert all(parameter.grad is None for parameter in body.parameters())
