"""What every loss on features must keep; a new one joins by its line in the catalog and a setting here.

Shape letters: K = teachers, B = batch, C = classes.
"""

import inspect
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from teachers import MISSING_LABEL, LabelGroup, Outputs, TeacherOutputs
from trials.aggregation import Comparison
from trials.aggregation.mean_of_losses import mean_of_losses
from trials.lesson import averages
from trials.losses import LOSSES, Pairing, fact_key, is_of_tokens, loss_options
from trials.recipe import LossTerm

K, B, C = 3, 6, 4
LABELS = torch.tensor([0, 1, 2, 3, MISSING_LABEL, MISSING_LABEL])


def net(channels, strides):
    layers = []
    for before, after, stride in zip((2, *channels), channels, strides, strict=False):
        layers.append(nn.Sequential(nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.BatchNorm2d(after)))
    return nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], C))


PATHS = {"stage1": "0", "last": "1"}


@dataclass(frozen=True)
class Setting:
    """Shapes of features on both sides, without the batch, and options."""

    student: dict[str, tuple[int, ...]]
    teacher: dict[str, tuple[int, ...]]
    options: dict[str, object] = field(default_factory=dict)


MAPS = {"stage1": (3, 6, 6), "last": (4, 3, 3)}, {"stage1": (5, 6, 6), "last": (6, 6, 6)}
ATTENTION = {
    side: {f"attention_last.{part}": (heads, 5, width // heads) for part in ("query", "key", "value")}
    | {"attention_last.scores": (4, 5, 5), "last": (5, width)}
    for side, heads, width in (("student", 4, 8), ("teacher", 3, 12))
}
SETTINGS = {
    "hint": Setting(*MAPS, {"layers": "stage1, last"}),
    "attention_transfer": Setting(*MAPS),
    "afd": Setting(*MAPS, {"width": 8}),
    "fcfd": Setting(*MAPS, {"paths": 1}),
    "minilm": Setting(**ATTENTION),
    "tinybert": Setting(**ATTENTION),
    "ca_mkd_feature": Setting(*MAPS),
    "structure_attention": Setting({"attention_last.weights": (4, 5, 5)}, {"attention_last.weights": (3, 5, 5)}),
}
LEARNT = {"hint", "afd", "fcfd", "tinybert", "ca_mkd_feature"}


def of_features(name):
    """Tell whether a loss compares features of both sides; ``uld`` compares logits with a feature, token by token."""
    term = LossTerm(name=name, weight=1.0)
    return not averages(term) and not is_of_tokens(term)


@pytest.fixture(params=sorted(filter(of_features, LOSSES)))
def name(request):
    return request.param


def randn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawn(name, *shape, seed):
    """Values of a feature: weights of attention are shares, all others any numbers."""
    values = randn(*shape, seed=seed)
    return values.softmax(dim=-1) if name.endswith(".weights") else values


def paired(name):
    """A pairing with nothing in it that the loss does not ask for."""
    setting, needs = SETTINGS[name], LOSSES[name].needs(**SETTINGS[name].options)
    torch.manual_seed(0)
    student_model = net((3, 4), (1, 2)).eval()
    models = [
        SimpleNamespace(module=net((5, 6), (1, 1)).eval().requires_grad_(False), preprocessing=None) for _ in range(K)
    ]
    shapes = setting.student | {"inputs": (2, 6, 6)}
    read = [each for each in needs.student if not each.endswith(".seen")]  # Where it is not told, all count.
    student = {each: drawn(each, B, *shapes[each], seed=i).requires_grad_() for i, each in enumerate(read)}
    student |= {fact_key(each): torch.zeros(B, 5, dtype=torch.int64) for each in needs.facts}
    teacher = {each: drawn(each, K, B, *setting.teacher[each], seed=20 + i) for i, each in enumerate(needs.teacher)}
    return Pairing(
        student=Outputs(logits=randn(B, C, seed=40), features=student),
        teacher=Outputs(logits=randn(K, B, C, seed=41), features=teacher),
        student_model=student_model,
        teacher_models=tuple(models) if needs.models else (),
        student_paths=PATHS if needs.models else {},
        teacher_paths=(PATHS,) * K if needs.models else (),
    )


def made(name, pairing, *, seed=0):
    torch.manual_seed(seed)
    return LOSSES[name](pairing, **SETTINGS[name].options)


def of_teacher(k, pairing):
    teacher = Outputs(
        logits=pairing.teacher.logits[k : k + 1],
        features={each: values[k : k + 1] for each, values in pairing.teacher.features.items()},
    )
    return replace(
        pairing,
        teacher=teacher,
        teacher_models=pairing.teacher_models[k : k + 1],
        teacher_paths=pairing.teacher_paths[k : k + 1],
    )


def take(single, stacked, k):
    """Give a loss of one teacher the k-th part of what a loss of K has learnt."""
    parts = {}
    for each, values in stacked.state_dict().items():
        shape = single.state_dict()[each].shape
        dims = [dim for dim, size in enumerate(shape) if size != values.shape[dim]]
        parts[each] = values.chunk(K, dim=dims[0])[k] if dims else values
    single.load_state_dict(parts)


def may_learn(feature):
    return feature != "inputs" and not feature.startswith(fact_key(""))


def run(loss, pairing, *, seed=1):
    torch.manual_seed(seed)
    return loss(pairing.student, pairing.teacher, LABELS)


def test_every_loss_on_features_has_a_setting(name):
    assert name in SETTINGS


def test_options_that_are_needed_to_ask_are_those_of_the_loss(name):
    assert loss_options(name) == {
        key: parameter.default for key, parameter in inspect.signature(LOSSES[name].needs).parameters.items()
    }


def test_gives_a_finite_loss_of_each_sample_and_teacher_that_is_not_negative(name):
    pairing = paired(name)
    loss_KB = run(made(name, pairing), pairing)
    assert loss_KB.shape == (K, B)
    assert torch.isfinite(loss_KB).all()
    assert (loss_KB > 0).all()


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"ca_mkd_feature"}))  # It weighs teachers by each other.
def test_stacked_teachers_give_what_single_ones_give(name):
    pairing = paired(name)
    leaves = [values for values in pairing.student.features.values() if values.requires_grad]
    stacked = made(name, pairing)
    loss_KB = run(stacked, pairing)
    gradients = torch.autograd.grad(loss_KB.mean(dim=1).sum(), leaves, allow_unused=True)
    losses, sums = [], [torch.zeros_like(leaf) for leaf in leaves]
    for k in range(K):
        alone = of_teacher(k, pairing)
        single = made(name, alone)
        take(single, stacked, k)
        loss_1B = run(single, alone)
        losses.append(loss_1B[0])
        for total, part in zip(sums, torch.autograd.grad(loss_1B.mean(), leaves, allow_unused=True), strict=True):
            total.add_(0 if part is None else part)
    torch.testing.assert_close(loss_KB, torch.stack(losses), rtol=1e-4, atol=1e-5)
    for gradient, total in zip(gradients, sums, strict=True):
        torch.testing.assert_close(
            torch.zeros_like(total) if gradient is None else gradient, total, rtol=1e-3, atol=1e-5
        )


def test_learnt_parts_and_the_student_get_gradients_and_teachers_none(name):
    pairing = paired(name)
    for values in (pairing.teacher.logits, *pairing.teacher.features.values()):
        values.requires_grad_()
    loss = made(name, pairing)
    for seed in range(8):  # A path that is drawn does not cross every bridge.
        run(loss, pairing, seed=seed).sum().backward()
    assert all(values.grad is None for values in (pairing.teacher.logits, *pairing.teacher.features.values()))
    parameters = dict(loss.named_parameters())
    assert bool(parameters) == (name in LEARNT)
    assert all(parameter.grad is not None for parameter in parameters.values())
    assert all(torch.isfinite(parameter.grad).all() for parameter in parameters.values())
    student = [values.grad for each, values in pairing.student.features.items() if may_learn(each)]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in student)


def test_rows_on_which_nobody_votes_move_nothing(name):
    pairing = paired(name)
    loss = made(name, pairing)
    teachers = TeacherOutputs(
        logits=pairing.teacher.logits,
        features=tuple({each: values[k] for each, values in pairing.teacher.features.items()} for k in range(K)),
    )
    group = LabelGroup(teachers=tuple(range(K)), classes=None)
    comparison = Comparison(loss=loss, group=group, features=tuple(pairing.teacher.features))
    weights_KB = torch.zeros(K, B)
    loss_B = mean_of_losses([comparison], pairing.student, teachers, LABELS, weights_KB=weights_KB, temperature=1.0)
    assert loss_B.tolist() == [0] * B
    loss_B.sum().backward()
    leaves = [*loss.parameters(), *(values for each, values in pairing.student.features.items() if may_learn(each))]
    assert all(leaf.grad is None or (leaf.grad == 0).all() for leaf in leaves)
    assert any(leaf.grad is not None for leaf in leaves)


def test_models_are_no_part_of_the_loss(name):
    pairing = paired(name)
    loss = made(name, pairing)
    own = {id(parameter) for parameter in loss.parameters()}
    for model in (pairing.student_model, *(teacher.module for teacher in pairing.teacher_models)):
        assert own.isdisjoint(id(parameter) for parameter in model.parameters())
    assert all(module is not pairing.student_model for module in loss.modules())


def test_a_seed_decides_how_it_starts_and_what_it_draws(name):
    pairing = paired(name)
    one, other = made(name, pairing, seed=3), made(name, pairing, seed=3)
    assert torch.equal(run(one, pairing), run(other, pairing))
    if name in LEARNT:
        assert not torch.equal(run(one, pairing), run(made(name, pairing, seed=4), pairing))


def test_samples_do_not_meet_in_evaluation_mode(name):
    pairing = paired(name)
    loss = made(name, pairing).eval()
    loss_KB = run(loss, pairing)
    rows = slice(2, 5)
    student = Outputs(
        logits=pairing.student.logits[rows],
        features={each: values[rows] for each, values in pairing.student.features.items()},
    )
    teacher = Outputs(
        logits=pairing.teacher.logits[:, rows],
        features={each: values[:, rows] for each, values in pairing.teacher.features.items()},
    )
    torch.manual_seed(1)
    torch.testing.assert_close(loss(student, teacher, LABELS[rows]), loss_KB[:, rows], rtol=1e-4, atol=1e-5)


def test_features_of_zeros_stay_finite(name):
    pairing = paired(name)
    loss = made(name, pairing)
    with torch.no_grad():
        for values in (*pairing.student.features.values(), *pairing.teacher.features.values()):
            values.zero_()
    loss_KB = run(loss, pairing)
    loss_KB.sum().backward()
    assert torch.isfinite(loss_KB).all()
    gradients = [values.grad for values in pairing.student.features.values() if values.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("layers", ["last,", "a=b=c", "stage 1", 3])
def test_malformed_layers_are_told_before_anything_is_made(name, layers):
    option = "hidden" if name == "tinybert" else "layers"
    with pytest.raises(ValueError, match=f"{option} must be names of features, or pairs student=teacher"):
        LOSSES[name].needs(**{option: layers})
