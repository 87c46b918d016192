"""Losses of features and attention against values and gradients that the authors' public code gave.

Recorded in ``tests/golden/published_feature_losses.json``, on the inputs and weights that this file makes: for each
case ``values``, one a teacher (or one in all), each the mean over the batch; and ``gradients`` of their sum with
respect to the student's features, for FCFD the student's parameters.

- hint: ConvReg and HintLoss of HobbitLong/RepDistiller.
- attention_transfer: Attention of HobbitLong/RepDistiller.
- afd: clovaai/attention-feature-distillation.
- ca_mkd_feature: CalWeight and CAMKD of Rorozhl/CA-MKD.
- minilm: bloomberg/minilmv2.bb, with weights 1; the authors published none.
- tinybert: task_distill.py of huawei-noah/Pretrained-Language-Model.
- fcfd: MetaModel and the training step of LiuDongyang6/FCFD, without the terms of ``hard_label`` and ``kd``, with all
  mixed paths, teachers in evaluation mode.

Shape letters: K = teachers, B = batch, C = channels or classes, H and W = size of a map, T = positions.
"""

import json
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES
from trials.losses.loss import Pairing

FILE = Path(__file__).parents[1] / "golden" / "published_feature_losses.json"
LABELS = torch.tensor([0, 1, 2, 1])
B = len(LABELS)
HEADS, T, WIDTH, WIDTH_T = 4, 5, 8, 12


def drawn(*shape, name):
    """Numbers between -1 and 1 that no generator has to give again, and a name tells apart."""
    numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.float64) + zlib.crc32(name.encode()) % 1000
    return torch.sin(numbers * numbers).float().reshape(shape)


def weight(*shape, name):
    """A parameter: that of a normalisation is about 1."""
    return (
        1 + 0.3 * drawn(*shape, name=name) if name.endswith(("bn.weight", "norm.weight")) else drawn(*shape, name=name)
    )


def fill(module, prefix):
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weight(*parameter.shape, name=f"{prefix} {name}"))


# Cases of maps: shapes (C, H, W) of the student's layers, of the teachers' layers, and the number of teachers.
MAPS = {
    "hint equal": ([(3, 4, 4)], [(2, 4, 4)], 2),
    "hint half": ([(3, 4, 4)], [(2, 2, 2)], 2),
    "hint double": ([(3, 2, 2)], [(2, 4, 4)], 2),
    "attention_transfer": ([(3, 4, 4), (2, 6, 6), (3, 2, 2)], [(2, 4, 4), (4, 4, 4), (2, 3, 3)], 2),
    "afd": ([(3, 4, 4), (4, 2, 2)], [(2, 4, 4), (5, 3, 3), (2, 3, 3)], 2),
    "ca_mkd_feature larger": ([(3, 5, 5)], [(4, 2, 2)], 3),
    "ca_mkd_feature smaller": ([(3, 2, 2)], [(4, 3, 3)], 3),
}


def maps(case):
    """Features of student and teachers, by layer."""
    student, teacher, num_teachers = MAPS[case]
    students = [drawn(B, *shape, name=f"student {i}").requires_grad_() for i, shape in enumerate(student)]
    teachers = [
        torch.stack([drawn(B, *shape, name=f"teacher {k} {i}") for k in range(num_teachers)])
        for i, shape in enumerate(teacher)
    ]
    return students, teachers


def tokens(heads_T=3):
    """Queries, keys, values, scores and hidden states of a student and two teachers."""
    student, teacher = {}, {}
    for part in ("query", "key", "value"):
        student[f"attention1.{part}"] = 2 * drawn(B, HEADS, T, WIDTH // HEADS, name=f"student {part}")
        teacher[f"attention1.{part}"] = torch.stack(
            [2 * drawn(B, heads_T, T, WIDTH_T // heads_T, name=f"teacher {k} {part}") for k in range(2)]
        )
    student["attention1.scores"] = 3 * drawn(B, HEADS, T, T, name="student scores")
    teacher["attention1.scores"] = torch.stack(
        [3 * drawn(B, HEADS, T, T, name=f"teacher {k} scores") for k in range(2)]
    )
    for scores in (student["attention1.scores"], teacher["attention1.scores"]):
        scores[..., 1, :, -1] = -10_000.0  # One sample is shorter.
    for layer in ("stage1", "last"):
        student[layer] = drawn(B, T, WIDTH, name=f"student {layer}")
        teacher[layer] = torch.stack([drawn(B, T, WIDTH_T, name=f"teacher {k} {layer}") for k in range(2)])
    return {name: values.requires_grad_() for name, values in student.items()}, teacher


class Net(nn.Module):
    """Four stages and a classifier; each stage but the first begins with a ReLU, or each ends in one."""

    def __init__(self, channels, strides, *, rectified, normalised, name):
        super().__init__()
        for i, (before, after, stride) in enumerate(zip((2, *channels), channels, strides, strict=False)):
            layers = [nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=not normalised)]
            if normalised:
                layers.append(nn.BatchNorm2d(after))
            if rectified:
                layers.append(nn.ReLU(inplace=True))
            elif i > 0:
                layers.insert(0, nn.ReLU())
            self.add_module(f"stage{i}", nn.Sequential(*layers))
        self.head = nn.Linear(channels[-1], 3)
        fill(self, name)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight *= 0.5
                if isinstance(module, nn.BatchNorm2d):
                    module.weight.abs_().add_(0.5)

    def forward(self, images):
        features = images
        for i in range(4):
            features = getattr(self, f"stage{i}")(features)
        return self.head(features.relu().mean(dim=(2, 3)))


def student_net(cls=Net, *, rectified):
    return cls((2, 3, 4, 4), (1, 2, 1, 2), rectified=rectified, normalised=True, name="student")


def teacher_net(k, cls=Net, *, rectified):
    net = cls((3, 3, 4, 5), (1, 1, 2, 1), rectified=rectified, normalised=False, name=f"teacher {k}")
    return net.eval().requires_grad_(False)


def images():
    return drawn(B, 2, 8, 8, name="images")


def tapped(net, inputs):
    """Run a net, with the outputs of its stages."""
    features = {"inputs": inputs}
    hooks = [
        getattr(net, name).register_forward_hook(lambda _m, _i, answer, name=name: features.__setitem__(name, answer))
        for name in ("stage1", "stage2", "stage3")
    ]
    logits = net(inputs)
    for hook in hooks:
        hook.remove()
    return Outputs(logits=logits, features=features)


# What our losses give.


def stack(module, names, num_teachers, *, dims=()):
    """Fill a module's parameters with those of single teachers, side by side.

    Args:
        module: The stacked layers.
        names: What each of its parameters is called in the authors' code.
        num_teachers: K.
        dims: Names of parameters that are put side by side along dimension 1.
    """
    parameters = dict(module.named_parameters())
    assert parameters.keys() == names.keys()
    for own, theirs in names.items():
        shape = list(parameters[own].shape)
        joined = "conv" in own or "norm" in own
        dim = 1 if own in dims else 0
        if joined:
            shape[dim] //= num_teachers
        else:
            del shape[0]
        singles = [weight(*shape, name=f"{k} {theirs}") for k in range(num_teachers)]
        parameters[own].data.copy_(torch.cat(singles, dim=dim) if joined else torch.stack(singles))


def layer_names(student, teacher):
    return ", ".join(f"s{i}=t{i}" for i in range(min(len(student), len(teacher))))


def made(case, students, teachers, *, layers, models=()):
    name = case.split(" ")[0]
    outputs = (
        Outputs(logits=torch.zeros(B, 3), features={f"s{i}": values for i, values in enumerate(students)}),
        Outputs(
            logits=torch.zeros(len(teachers[0]), B, 3), features={f"t{i}": values for i, values in enumerate(teachers)}
        ),
    )
    pairing = Pairing(student=outputs[0], teacher=outputs[1], student_model=nn.Identity(), teacher_models=models)
    return LOSSES[name](pairing, layers=layers), outputs


def of_maps(case):
    students, teachers = maps(case)
    num_teachers = len(teachers[0])
    layers = layer_names(students, teachers)
    models = ()
    if case.startswith("afd"):
        layers = "s0=t0, s1=t1, s0=t2"
    if case.startswith("ca_mkd_feature"):
        models = tuple(SimpleNamespace(module=classifier(k), preprocessing=None) for k in range(num_teachers))
    loss, (student, teacher) = made(case, students, teachers, layers=layers, models=models)
    conv = {"conv.weight": "conv.weight", "conv.bias": "conv.bias", "norm.weight": "bn.weight", "norm.bias": "bn.bias"}
    if case.startswith("hint"):
        stack(loss.adapters[0], conv, num_teachers, dims=("conv.weight",) if case == "hint double" else ())
    elif case.startswith("ca_mkd_feature"):
        stack(loss.adapter, conv, num_teachers)
    elif case.startswith("afd"):
        stack(loss, afd_names(), num_teachers)
    loss_KB = loss(student, teacher, LABELS)
    assert loss_KB.shape == (num_teachers, B)
    values = loss_KB.mean(dim=1)
    return values.mean(dim=0, keepdim=True) if case.startswith("ca_mkd") else values, students


def classifier(k):
    linear = nn.Linear(4, 3)
    fill(linear, f"classifier {k}")
    return nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


def afd_names():
    names = {"place_KLQ": "p_t", "place_KSQ": "p_s"}
    theirs = [(f"queries.{i}", f"query_layer.{i}") for i in range(3)]
    theirs += [(f"keys.{i}", f"key_layer.{i}") for i in range(2)] + [("bilinear", "bilinear")]
    for own, other in theirs:
        names |= {f"{own}.linear.{part}": f"{other}.linear.{part}" for part in ("weight", "bias")}
        names |= {f"{own}.norm.norm.{part}": f"{other}.bn.{part}" for part in ("weight", "bias")}
    return names


TOKENS = {
    "minilm 1": ("minilm", {"layers": "attention1", "version": 1, "relation_heads": 2}),
    "minilm 2": ("minilm", {"layers": "attention1", "version": 2, "relation_heads": 4}),
    "tinybert": ("tinybert", {"attention": "attention1", "hidden": "stage1, last"}),
}


def of_tokens(case):
    name, options = TOKENS[case]
    student, teacher = tokens()
    needs = LOSSES[name].needs(**options)
    student = {key: student[key] for key in needs.student if key in student}  # None of the tokens is padding.
    teacher = {key: teacher[key] for key in needs.teacher}
    outputs = (
        Outputs(logits=torch.zeros(B, 3), features=student),
        Outputs(logits=torch.zeros(2, B, 3), features=teacher),
    )
    loss = LOSSES[name](Pairing(student=outputs[0], teacher=outputs[1], student_model=nn.Identity()), **options)
    if name == "tinybert":
        stack(loss, {"linear.weight": "fit_dense.weight", "linear.bias": "fit_dense.bias"}, 2)
    loss_KB = loss(*outputs, LABELS)
    assert loss_KB.shape == (2, B)
    return loss_KB.mean(dim=1), list(student.values())


def of_fcfd(case):
    rectified = case == "fcfd after ReLU"
    net, nets = student_net(rectified=rectified), [teacher_net(k, rectified=rectified) for k in range(2)]
    inputs = images()
    told = [tapped(each, inputs) for each in nets]
    teacher = Outputs(
        logits=torch.stack([each.logits for each in told]),
        features={name: torch.stack([each.features[name] for each in told]) for name in ("stage1", "stage2", "stage3")},
    )
    paths = {name: name for name in ("stage1", "stage2", "stage3")}
    pairing = Pairing(
        student=tapped(net.eval(), inputs),
        teacher=teacher,
        student_model=net.train(),
        teacher_models=tuple(SimpleNamespace(module=each, preprocessing=None) for each in nets),
        student_paths=paths,
        teacher_paths=(paths, paths),
    )
    weight = 0.02 if rectified else 5.0  # With the smaller one, the mixed paths' logits count for more.
    loss = LOSSES["fcfd"](pairing, layers="stage1, stage2, stage3", paths=4, feature_weight=weight)
    for bridges, target in ((loss.to_teacher, 0), (loss.to_student, 1)):
        for i, bridge in enumerate(bridges):
            prefix = f"bridge {i + 1} {target}"
            names = {name: f"{prefix} {name}" for name, _ in bridge.layers.named_parameters()}
            dims = ("conv.weight",) if isinstance(bridge.layers.conv, nn.ConvTranspose2d) else ()
            stack(bridge.layers, names, 2, dims=dims)
    loss_KB = loss(tapped(net, inputs), teacher, LABELS)
    assert loss_KB.shape == (2, B)
    return loss_KB.mean(dim=1), list(net.parameters())


CASES = {
    **dict.fromkeys(MAPS, of_maps),
    **dict.fromkeys(TOKENS, of_tokens),
    "fcfd before ReLU": of_fcfd,
    "fcfd after ReLU": of_fcfd,
}


def test_each_case_has_a_golden_and_none_is_orphaned():
    assert json.loads(FILE.read_text()).keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_published_code(case):
    recorded = json.loads(FILE.read_text())[case]
    values, leaves = CASES[case](case)
    tolerance = 1e-4 if case.startswith(("fcfd", "afd")) else 1e-5
    torch.testing.assert_close(values.tolist(), recorded["values"], rtol=tolerance, atol=0)
    gradients = torch.autograd.grad(values.sum(), leaves)
    assert len(gradients) == len(recorded["gradients"])
    for gradient, numbers in zip(gradients, recorded["gradients"], strict=True):
        expected = torch.tensor(numbers)
        # Next to the largest number of a gradient, rounding of the others counts.
        atol = tolerance * expected.abs().max().item()
        torch.testing.assert_close(gradient.flatten(), expected, rtol=tolerance, atol=atol)
