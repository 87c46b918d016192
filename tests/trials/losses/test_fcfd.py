"""FCFD: its paths, bridges and models, beside the published values."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from teachers import Outputs
from trials.losses import LOSSES, kd
from trials.losses.loss import Pairing

B, C = 5, 3
LABELS = torch.zeros(B, dtype=torch.int64)
INPUTS = torch.sin(torch.arange(B * 4.0) ** 2).reshape(B, 4)
PATHS = {"stage1": "0", "stage2": "1", "last": "2"}


def net(width, *, seed, rectified=False):
    torch.manual_seed(seed)
    stages = [
        nn.Sequential(nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU() if rectified else nn.Tanh())
        for before in (4, width, width)
    ]
    return nn.Sequential(*stages, nn.Linear(width, C))


def told(model, inputs=INPUTS):
    features = {"inputs": inputs}
    for name, path in PATHS.items():
        features[name] = model[: int(path) + 1](inputs)
    return Outputs(logits=model(inputs), features=features)


def fcfd(student, teacher, *, preprocessing=None, seed=0, **options):
    ready = INPUTS if preprocessing is None else preprocessing(INPUTS)
    answer = told(teacher.eval(), ready)
    stacked = Outputs(
        logits=answer.logits[None].detach(),
        features={name: each[None].detach() for name, each in answer.features.items()},
    )
    pairing = Pairing(
        student=told(student.eval()),
        teacher=stacked,
        student_model=student.train(),
        teacher_models=(SimpleNamespace(module=teacher, preprocessing=preprocessing),),
        student_paths=PATHS,
        teacher_paths=(PATHS,),
    )
    torch.manual_seed(seed)
    options = {"layers": "stage1, stage2, last"} | options
    return LOSSES["fcfd"](pairing, **options), (told(student), stacked)


def test_teachers_of_some_classes_are_told():
    student, teacher = net(6, seed=0), net(7, seed=1)
    pairing = Pairing(student=told(student), teacher=told(teacher), student_model=student, knows_all=False)
    with pytest.raises(ValueError, match=r"fcfd .* needs teachers that know all classes.*such as hint"):
        LOSSES["fcfd"](pairing)


def value(loss, sides, *, seed=0):
    torch.manual_seed(seed)
    return loss(*sides, LABELS)


def test_a_student_like_its_teacher_loses_nothing_over_bridges_that_change_nothing():
    student, teacher = net(6, seed=0), net(6, seed=0)
    loss, _ = fcfd(student, teacher, paths=4)
    for bridge in (*loss.to_teacher, *loss.to_student):
        bridge.layers[0].weight.data[0], bridge.layers[0].bias.data[0] = torch.eye(6), 0
    student.load_state_dict(teacher.state_dict())
    for module in (student.eval(), teacher, loss):
        module.double()
    answer = told(student, INPUTS.double())
    stacked = Outputs(logits=answer.logits[None], features={name: each[None] for name, each in answer.features.items()})
    assert value(loss.eval(), (answer, stacked)).max() < 1e-8


def test_paths_are_drawn_without_replacement_and_all_run_where_there_are_no_more():
    loss, sides = fcfd(net(6, seed=0), net(7, seed=1), paths=2)
    drawn = {tuple(sorted(loss._drawn())) for _ in range(200)}
    assert len(drawn) == 6
    assert all(len(set(paths)) == 2 for paths in drawn)
    every, _ = fcfd(net(6, seed=0), net(7, seed=1), paths=99)
    four, sides = fcfd(net(6, seed=0), net(7, seed=1), paths=4)
    assert torch.equal(value(every, sides), value(four, sides))


def test_without_paths_only_bridged_features_are_compared():
    loss, sides = fcfd(net(6, seed=0), net(7, seed=1), paths=0, feature_weight=2.0)
    expected = sum(
        (bridge(sides[0].features[name]) - sides[1].features[name]).square().mean(dim=2)
        for bridge, name in zip(loss.to_teacher, PATHS, strict=True)
    )
    torch.testing.assert_close(value(loss, sides), 2 * expected)


def test_the_weight_of_features_rises_and_that_of_mixed_paths_does_not():
    student, teacher = net(6, seed=0), net(7, seed=1)
    parts = {weight: fcfd(student, teacher, paths=4, feature_weight=weight) for weight in (0.0, 4.0)}
    mixed, whole = (value(*parts[weight]) for weight in (0.0, 4.0))
    loss, sides = fcfd(student, teacher, paths=4, feature_weight=4.0, feature_warmup=4)
    for epoch, share in ((1, 0.25), (3, 0.75), (4, 1.0), (9, 1.0), (None, 1.0)):
        loss.epoch = epoch
        torch.testing.assert_close(value(loss, sides), mixed + share * (whole - mixed))
    with pytest.raises(ValueError, match=r"feature_warmup must be a whole number of epochs, at least 0, got -1"):
        LOSSES["fcfd"].needs(feature_warmup=-1)


def test_logits_of_mixed_paths_are_compared_at_the_temperature():
    student, teacher = net(6, seed=0), net(7, seed=1)
    loss, sides = fcfd(student, teacher, layers="stage1, last", paths=9, feature_weight=0.0, temperature=3.0)
    logits = [
        teacher[1:](loss.to_teacher[0](sides[0].features["stage1"])[0]),
        student[1:](loss.to_student[0](sides[1].features["stage1"])[0]),
    ]
    expected = sum(kd(Outputs(logits=each[None]), sides[1], LABELS, temperature=3.0) for each in logits)
    torch.testing.assert_close(value(loss, sides), expected)


def test_teachers_see_inputs_as_they_were_prepared_for_them():
    student, teacher = net(6, seed=0), net(7, seed=1)
    shape_changing = nn.Sequential(*teacher)
    shape_changing[0][0] = nn.Linear(2, 7)
    loss, sides = fcfd(student, shape_changing, preprocessing=lambda inputs: inputs[:, :2], paths=9)
    assert torch.isfinite(value(loss, sides)).all()


@pytest.mark.parametrize("rectified", [True, False])
def test_bridges_end_in_a_leaky_relu_where_the_target_has_no_negative_value(rectified):
    loss, _ = fcfd(net(6, seed=0, rectified=rectified), net(7, seed=1, rectified=not rectified))
    to_teacher, to_student = loss.to_teacher[0], loss.to_student[0]
    assert to_teacher.slope_K.tolist() == pytest.approx([1.0 if rectified else 0.1])
    assert to_student.slope_K.tolist() == pytest.approx([0.1 if rectified else 1.0])
    features = torch.randn(B, 6, generator=torch.Generator().manual_seed(0))
    led = to_teacher.layers(features)
    expected = led if rectified else nn.functional.leaky_relu(led, 0.1)
    torch.testing.assert_close(to_teacher(features), expected)


def test_running_statistics_of_the_student_stay_as_they_are():
    student = net(6, seed=0)
    loss, sides = fcfd(student, net(7, seed=1), paths=9)
    before = {name: values.clone() for name, values in student.state_dict().items()}
    value(loss, sides).sum().backward()
    assert all(torch.equal(values, before[name]) for name, values in student.state_dict().items())


def test_layers_whose_answer_is_replaced_do_not_run_and_nothing_else_changes():
    found = []
    for idle in (True, False):
        student, teacher = net(6, seed=0), net(7, seed=1)
        loss, sides = fcfd(student, teacher, paths=9)
        assert loss.idle_student == loss.idle_teachers[0] == {"0", "1"}
        if not idle:
            loss.idle_student, loss.idle_teachers = set(), [set()]
        runs = []
        for model in (student, teacher):
            model[1][0].register_forward_hook(lambda *_, runs=runs: runs.append(1))
        given = value(loss, sides)
        assert len(runs) == (2 if idle else 4)  # Each crosses over behind the first layer, and behind this one.
        gradients = torch.autograd.grad(given.sum(), [*student.parameters(), *loss.parameters()])
        found.append((given, *gradients))
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "last"}, "at least two layers, so that a path can cross between them, got 'last'"),
        ({"temperature": 0.0}, r"temperature above 0.* got 0.0, 5.0 and 2"),
        ({"feature_weight": -1.0}, r"got 4.0, -1.0 and 2"),
        ({"paths": 1.5}, r"got 4.0, 5.0 and 1.5"),
        ({"feature_weight": "5"}, r"got 4.0, '5' and 2"),
        ({"layers": "stage1, last=last.pooled"}, r"what the layer gives, not a part: last.pooled"),
    ],
)
def test_options_that_cannot_be_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        LOSSES["fcfd"].needs(**options)


def with_parts(*, student_shape=(6,), teacher_shape=(7,), classes=C, module=None):
    features = {
        side: {name: torch.zeros(*lead, B, *shape) for name in ("stage1", "last")}
        for side, lead, shape in (("student", (), student_shape), ("teacher", (1,), teacher_shape))
    }
    pairing = Pairing(
        student=Outputs(logits=torch.zeros(B, C), features=features["student"]),
        teacher=Outputs(logits=torch.zeros(1, B, classes), features=features["teacher"]),
        student_model=nn.Identity(),
        teacher_models=(SimpleNamespace(module=module, preprocessing=None),),
        teacher_paths=({},),
    )
    return LOSSES["fcfd"](pairing)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"student_shape": (6, 4, 4)},
            r"maps .* on both sides, or vectors \(D\) on both; stage1=stage1 has \(6, 4, 4\)",
        ),
        ({"student_shape": (4, 6), "teacher_shape": (4, 7)}, r"\(4, 6\) in the student, \(4, 7\) in the teacher"),
        ({"classes": 2}, "teachers that know all classes, .* the student has 3, the teachers 2"),
        ({}, "one teacher is no torch module"),
    ],
)
def test_models_and_features_that_do_not_fit_are_told(parts, message):
    with pytest.raises(ValueError, match=message):
        with_parts(**parts)
