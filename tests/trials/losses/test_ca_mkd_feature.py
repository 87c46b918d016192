"""CA-MKD's feature term: its weights, and teachers whose classifier does not fit."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from teachers import MISSING_LABEL, LabelGroup, Outputs, TeacherOutputs
from trials.aggregation import Comparison
from trials.losses import LOSSES
from trials.losses.loss import Pairing

B, C, K, D = 4, 3, 3, 5
LABELS = torch.tensor([0, 1, 2, MISSING_LABEL])


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ca_mkd(modules, *, shape=(D,), num_classes=C, student=None):
    student = randn(B, *shape) if student is None else student
    sides = (
        Outputs(logits=torch.zeros(B, num_classes), features={"last": student}),
        Outputs(logits=torch.zeros(len(modules), B, C), features={"last": randn(len(modules), B, *shape, seed=1)}),
    )
    models = tuple(SimpleNamespace(module=module, preprocessing=None) for module in modules)
    pairing = Pairing(student=sides[0], teacher=sides[1], student_model=nn.Identity(), teacher_models=models)
    return LOSSES["ca_mkd_feature"](pairing), sides


def classifiers(num_teachers=K, **options):
    torch.manual_seed(0)
    return [nn.Sequential(nn.ReLU(), nn.Linear(D, C, **options)) for _ in range(num_teachers)]


def errors(loss, sides):
    adapted = loss.adapter(sides[0].features["last"])
    return (adapted - sides[1].features["last"]).square().flatten(2).mean(dim=2)


@pytest.mark.parametrize("shape", [(D,), (D, 4, 4)])
def test_weights_are_those_of_the_formula_and_equal_without_a_label(shape):
    modules = classifiers()
    loss, sides = ca_mkd(modules, shape=shape)
    weights_KB = loss(*sides, LABELS) / errors(loss, sides)
    adapted = loss.adapter(sides[0].features["last"])
    vectors = adapted if len(shape) == 1 else adapted.mean(dim=(3, 4))
    entropies = [
        nn.functional.cross_entropy(m[1](v), LABELS, reduction="none") for m, v in zip(modules, vectors, strict=True)
    ]
    expected = (1 - torch.stack(entropies).softmax(dim=0)) / (K - 1)
    torch.testing.assert_close(weights_KB[:, :3], expected[:, :3])
    torch.testing.assert_close(weights_KB[:, 3], torch.full((K,), 1 / K))
    torch.testing.assert_close(weights_KB.sum(dim=0), torch.ones(B))


def test_a_single_teacher_counts_in_full():
    loss, sides = ca_mkd(classifiers(1))
    torch.testing.assert_close(loss(*sides, LABELS), errors(loss, sides))


def test_who_does_not_vote_has_no_weight_and_the_others_are_weighed_as_if_alone():
    modules = classifiers()
    loss, (student, teachers) = ca_mkd(modules)
    # Rows with all, two, one and no voters.
    votes_KB = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]]).bool()
    label_B = torch.tensor([0, 1, 2, 2])
    loss_KB = loss(student, teachers, label_B, votes_KB=votes_KB)
    weights_KB = loss_KB / errors(loss, (student, teachers))
    torch.testing.assert_close(
        weights_KB[:, 0], (loss(student, teachers, label_B) / errors(loss, (student, teachers)))[:, 0]
    )
    adapted = loss.adapter(student.features["last"])
    entropies = [nn.functional.cross_entropy(modules[k][1](adapted[k, 1]), label_B[1]) for k in (0, 2)]
    expected = 1 - torch.stack(entropies).softmax(dim=0)
    torch.testing.assert_close(weights_KB[:, 1], torch.stack([expected[0], torch.tensor(0.0), expected[1]]))
    torch.testing.assert_close(weights_KB[:, 2:], votes_KB[:, 2:].float())
    loss_KB.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in loss.parameters())


def test_without_a_label_those_who_vote_weigh_the_same():
    loss, sides = ca_mkd(classifiers())
    votes_KB = torch.tensor([[True] * B, [False] * B, [True] * B])
    weights_KB = loss(*sides, torch.full((B,), MISSING_LABEL), votes_KB=votes_KB) / errors(loss, sides)
    torch.testing.assert_close(weights_KB, votes_KB / 2)


def test_a_teacher_hears_nothing_of_rows_that_it_does_not_cover():
    # Where the aggregation's weights are 0, nobody votes.
    loss, (student, teachers) = ca_mkd(classifiers())
    comparison = Comparison(loss=loss, group=LabelGroup(teachers=(0, 1, 2), classes=None), features=("last",))
    heard = TeacherOutputs(logits=teachers.logits, features=tuple({"last": each} for each in teachers.features["last"]))
    weights_KB = torch.tensor([[0.5, 1.0, 0.0, 0.0], [0.5, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    found_KB = comparison.losses(student, heard, LABELS, weights_KB)
    expected_KB = loss(student, teachers, LABELS, votes_KB=weights_KB > 0)
    torch.testing.assert_close(found_KB, expected_KB)
    alone_KB = errors(loss, (student, teachers)) * (weights_KB == 1)
    torch.testing.assert_close(found_KB[:, 1:], alone_KB[:, 1:])


def test_classifiers_without_a_bias_have_one_of_zeros():
    loss, _ = ca_mkd(classifiers(bias=False))
    assert torch.equal(loss.bias_KC, torch.zeros(K, C))


def test_classifiers_are_neither_learnt_nor_stored():
    loss, _ = ca_mkd(classifiers())
    assert not any("KC" in name for name in (*dict(loss.named_parameters()), *loss.state_dict()))


@pytest.mark.parametrize(
    ("modules", "options", "message"),
    [
        ([nn.ReLU()], {}, r"end in an nn.Linear, their classifier; got ReLU without any"),
        ([None], {}, "got a model that is no torch module"),
        ([nn.Linear(D + 1, C)], {}, "so 5 to 3; one takes 6 to 3"),
        ([nn.Linear(D, C)], {"num_classes": 4}, "to the 4 classes of the student, so 5 to 4; one takes 5 to 3"),
    ],
)
def test_teachers_without_a_classifier_that_fits_are_told(modules, options, message):
    with pytest.raises(ValueError, match=message):
        ca_mkd(modules, **options)


def test_several_layers_are_told():
    with pytest.raises(ValueError, match="compares one pair of layers, got 2"):
        LOSSES["ca_mkd_feature"].needs(layers="stage1, last")
