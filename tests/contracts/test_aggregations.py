"""What every aggregation of teachers must keep; a new one joins by its line in the catalog.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS, SAME_CLASSES_ONLY, Comparison
from trials.losses import LOSSES, Needs, Pairing, bind, needs_of, temperature_of
from trials.recipe import LossTerm

K, B, C = 3, 6, 4
LABELS = torch.tensor([0, 1, 2, 3, MISSING_LABEL, MISSING_LABEL])
ALL = [Coverage()] * K
ON_LOGITS = [name for name in sorted(LOSSES) if needs_of(LossTerm(name=name, weight=1.0)) == Needs()]
SHIFTED = {"rkd", "sp", "cluster_relation"}
BY_LABEL = [Coverage(labels=(0, 1)), Coverage(labels=(1, 2, 3)), Coverage()]


def logits(*shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


EXAMPLE = Outputs(logits=logits(B, C, seed=5))
PAIRING = Pairing(student=EXAMPLE, teacher=EXAMPLE, student_model=torch.nn.Identity())


def aggregate(name, student, teachers, weights_KB, *, coverages=ALL, loss_name="kd"):
    ensemble = TeacherEnsemble(
        {f"t{k}": coverage for k, coverage in enumerate(coverages)}, num_classes=C, num_rows=B, columns={}
    )
    term = LossTerm(name=loss_name, weight=1.0)
    comparisons = [Comparison(loss=bind(term, PAIRING), group=group) for group in ensemble.groups]
    return AGGREGATIONS[name](
        comparisons,
        Outputs(logits=student),
        TeacherOutputs(logits=teachers),
        LABELS,
        weights_KB=weights_KB,
        temperature=temperature_of(term),
    )


@pytest.fixture(params=sorted(AGGREGATIONS))
def name(request):
    return request.param


@pytest.fixture(params=sorted(AGGREGATIONS.keys() - SAME_CLASSES_ONLY))
def name_for_some_classes(request):
    return request.param


def test_the_list_of_exceptions_names_aggregations():
    assert set(AGGREGATIONS) >= SAME_CLASSES_ONLY


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_one_teacher_of_weight_1_gives_the_plain_loss(name, loss_name):
    student, teacher = logits(B, C, seed=0), logits(1, B, C, seed=1)
    loss = bind(LossTerm(name=loss_name, weight=1.0), PAIRING)
    loss_B = aggregate(name, student, teacher, torch.ones(1, B), coverages=[Coverage()], loss_name=loss_name)
    # Of a mean of probabilities the logs are left, which some losses tell from logits.
    heard_BC = teacher[0].log_softmax(dim=1) if name == "mean_of_probabilities" and loss_name in SHIFTED else teacher[0]
    expected_B = loss(Outputs(logits=student), Outputs(logits=heard_BC), LABELS)
    assert loss_B.shape == (B,)
    torch.testing.assert_close(loss_B, expected_B.expand(B), rtol=1e-4, atol=1e-5)


def test_order_of_teachers_does_not_matter(name):
    student, teachers, weights_KB = logits(B, C, seed=0), logits(K, B, C, seed=1), torch.rand(K, B)
    turned_B = aggregate(name, student, teachers.flip(0), weights_KB.flip(0))
    torch.testing.assert_close(turned_B, aggregate(name, student, teachers, weights_KB))


def test_order_of_teachers_of_some_classes_does_not_matter(name_for_some_classes):
    student, teachers, weights_KB = logits(B, C, seed=0), logits(K, B, C, seed=1), torch.rand(K, B)
    plain_B = aggregate(name_for_some_classes, student, teachers, weights_KB, coverages=BY_LABEL)
    turned_B = aggregate(name_for_some_classes, student, teachers.flip(0), weights_KB.flip(0), coverages=BY_LABEL[::-1])
    torch.testing.assert_close(turned_B, plain_B)


def test_a_teacher_of_weight_0_changes_nothing(name):
    student, teachers = logits(B, C, seed=0), logits(K, B, C, seed=1)
    weights_KB = torch.full((K, B), 0.5)
    weights_KB[2] = 0
    louder = teachers.clone()
    louder[2] *= 100
    changed_B = aggregate(name, student, louder, weights_KB)
    torch.testing.assert_close(changed_B, aggregate(name, student, teachers, weights_KB))
    torch.testing.assert_close(
        changed_B, aggregate(name, student, teachers[:2], weights_KB[:2], coverages=ALL[:2]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_rows_without_a_teacher_give_0_and_no_gradient(name, loss_name):
    student, weights_KB = logits(B, C, seed=0).requires_grad_(), torch.full((K, B), 1 / K)
    weights_KB[:, [1, 4]] = 0
    teachers = logits(K, B, C, seed=1)
    teachers[:, 1] = 0  # As columns that nobody knows are stored.
    loss_B = aggregate(name, student, teachers, weights_KB, loss_name=loss_name)
    loss_B.sum().backward()
    assert loss_B[[1, 4]].tolist() == [0, 0]
    assert (student.grad[[1, 4]] == 0).all()
    assert torch.isfinite(student.grad).all()
    assert (student.grad[[0, 2, 3, 5]].abs().sum(dim=1) > 0).all()


def test_teachers_who_agree_with_the_student_teach_nothing(name):
    student = logits(B, C, seed=0).requires_grad_()
    loss_B = aggregate(name, student, student.detach().expand(K, -1, -1), torch.full((K, B), 1 / K))
    loss_B.sum().backward()
    torch.testing.assert_close(loss_B.detach(), torch.zeros(B), rtol=0, atol=1e-5)
    torch.testing.assert_close(student.grad, torch.zeros(B, C), rtol=0, atol=1e-5)


def test_no_gradient_flows_into_the_teachers(name):
    student, teachers = logits(B, C, seed=0).requires_grad_(), logits(K, B, C, seed=1).requires_grad_()
    aggregate(name, student, teachers, torch.full((K, B), 1 / K)).sum().backward()
    assert teachers.grad is None
    assert student.grad.abs().sum() > 0


def test_one_weight_for_all_rows_may_be_expanded(name):
    student, teachers, weights_K1 = logits(B, C, seed=0), logits(K, B, C, seed=1), torch.full((K, 1), 1 / K)
    expanded_B = aggregate(name, student, teachers, weights_K1.expand(-1, B))
    torch.testing.assert_close(expanded_B, aggregate(name, student, teachers, weights_K1.repeat(1, B)))


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_what_a_teacher_says_of_classes_that_it_does_not_know_is_not_read(name_for_some_classes, loss_name):
    coverages = [Coverage(labels=(3,)), *BY_LABEL[1:]]
    student, teachers, weights_KB = logits(B, C, seed=0).requires_grad_(), logits(K, B, C, seed=1), torch.rand(K, B)
    changed = teachers.clone()
    changed[0, :, :3] = 50.0
    changed[1, :, 0] = -50.0
    arguments = {"coverages": coverages, "loss_name": loss_name}
    loss_B = aggregate(name_for_some_classes, student, teachers, weights_KB, **arguments)
    assert torch.equal(loss_B, aggregate(name_for_some_classes, student, changed, weights_KB, **arguments))
    loss_B.sum().backward()
    assert torch.isfinite(student.grad).all()
