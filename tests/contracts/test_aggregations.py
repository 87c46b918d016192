"""What every aggregation of teachers must keep; a new one joins by its line in the catalog.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS, HEADS, Comparison, misfit, traits_of
from trials.losses import LOSSES, Needs, Pairing, bind, needs_of, temperature_of
from trials.recipe import LossTerm

K, B, C = 3, 6, 4
LABELS = torch.tensor([0, 1, 2, 3, MISSING_LABEL, MISSING_LABEL])
ON_LOGITS = [name for name in sorted(LOSSES) if needs_of(LossTerm(name=name, weight=1.0)) == Needs()]
SHIFTED = {"rkd", "sp", "cluster_relation"}
ENSEMBLES = {
    "everybody": [Coverage()] * K,
    "overlapping classes": [Coverage(labels=(0, 1)), Coverage(labels=(1, 2, 3)), Coverage()],
    "divided classes": [Coverage(labels=(3,)), Coverage(labels=(0, 2)), Coverage(labels=(1,))],
    "some classes": [Coverage(labels=(3,)), Coverage(labels=(1, 2, 3)), Coverage()],
}


def logits(*shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


EXAMPLE = Outputs(logits=logits(B, C, seed=5))
PAIRING = Pairing(student=EXAMPLE, teacher=EXAMPLE, student_model=torch.nn.Identity())


def ensemble_of(coverages):
    named = {f"t{k}": coverage for k, coverage in enumerate(coverages)}
    return TeacherEnsemble(named, num_classes=C, num_rows=B, columns={})


def aggregate(name, student, teachers, weights_KB, *, coverages, loss_name="kd"):
    """Aggregate; each head of the student says what the student says."""
    term = LossTerm(name=loss_name, weight=1.0)
    return AGGREGATIONS[name](
        [Comparison(loss=bind(term, PAIRING), group=group) for group in ensemble_of(coverages).groups],
        Outputs(logits=student, features={HEADS: student[:, None].expand(-1, len(teachers), -1)}),
        TeacherOutputs(logits=teachers),
        LABELS,
        weights_KB=weights_KB,
        temperature=temperature_of(term),
    )


def refuses(name, loss_name):
    """See to it that an aggregation that takes functions alone says so of a class."""
    if not traits_of(AGGREGATIONS[name]).takes_functions_only or not isinstance(LOSSES[loss_name], type):
        return False
    with pytest.raises(ValueError, match="functions of logits; use mean_of_losses"):
        aggregate(
            name,
            logits(B, C, seed=0),
            logits(1, B, C, seed=1),
            torch.ones(1, B),
            coverages=[Coverage()],
            loss_name=loss_name,
        )
    return True


FITTING = [
    (name, ensemble)
    for name in sorted(AGGREGATIONS)
    for ensemble, coverages in ENSEMBLES.items()
    if not misfit(name, ensemble_of(coverages))
]


@pytest.fixture(params=sorted(AGGREGATIONS))
def name(request):
    return request.param


@pytest.fixture(params=FITTING, ids=[f"{name}, {ensemble}" for name, ensemble in FITTING])
def fitting(request):
    """An aggregation, and coverages of an ensemble that fits."""
    return request.param[0], ENSEMBLES[request.param[1]]


def test_every_aggregation_takes_some_ensemble_and_one_teacher_who_knows_everything(name):
    assert name in {fitting for fitting, _ in FITTING}
    assert misfit(name, ensemble_of([Coverage()])) == ""


def test_one_that_does_not_fit_says_what_to_use_instead(name):
    for coverages in ENSEMBLES.values():
        reason = misfit(name, ensemble_of(coverages))
        assert not reason or (reason.startswith(f"{name} ") and "; use mean_of_losses" in reason)


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_one_teacher_of_weight_1_gives_the_plain_loss(name, loss_name):
    if refuses(name, loss_name):
        return
    student, teacher = logits(B, C, seed=0), logits(1, B, C, seed=1)
    loss = bind(LossTerm(name=loss_name, weight=1.0), PAIRING)
    loss_B = aggregate(name, student, teacher, torch.ones(1, B), coverages=[Coverage()], loss_name=loss_name)
    # Of a mean of probabilities the logs are left, which some losses tell from logits.
    heard_BC = teacher[0].log_softmax(dim=1) if name == "mean_of_probabilities" and loss_name in SHIFTED else teacher[0]
    expected_B = loss(Outputs(logits=student), Outputs(logits=heard_BC), LABELS)
    assert loss_B.shape == (B,)
    torch.testing.assert_close(loss_B, expected_B.expand(B), rtol=1e-4, atol=1e-5)


def test_order_of_teachers_does_not_matter(fitting):
    name, coverages = fitting
    student, teachers, weights_KB = logits(B, C, seed=0), logits(K, B, C, seed=1), torch.rand(K, B)
    turned_B = aggregate(name, student, teachers.flip(0), weights_KB.flip(0), coverages=coverages[::-1])
    torch.testing.assert_close(turned_B, aggregate(name, student, teachers, weights_KB, coverages=coverages))


def test_a_teacher_of_weight_0_changes_nothing(fitting):
    name, coverages = fitting
    student, teachers = logits(B, C, seed=0), logits(K, B, C, seed=1)
    weights_KB = torch.full((K, B), 0.5)
    weights_KB[2] = 0
    louder = teachers.clone()
    louder[2] *= 100
    changed_B = aggregate(name, student, louder, weights_KB, coverages=coverages)
    torch.testing.assert_close(changed_B, aggregate(name, student, teachers, weights_KB, coverages=coverages))
    without_B = aggregate(name, student, teachers[:2], weights_KB[:2], coverages=coverages[:2])
    torch.testing.assert_close(changed_B, without_B, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_rows_without_a_teacher_give_0_and_no_gradient(fitting, loss_name):
    name, coverages = fitting
    if refuses(name, loss_name):
        return
    student, weights_KB = logits(B, C, seed=0).requires_grad_(), torch.full((K, B), 1 / K)
    weights_KB[:, [1, 4]] = 0
    teachers = logits(K, B, C, seed=1)
    teachers[:, 1] = 0  # As columns that nobody knows are stored.
    loss_B = aggregate(name, student, teachers, weights_KB, loss_name=loss_name, coverages=coverages)
    loss_B.sum().backward()
    assert loss_B[[1, 4]].tolist() == [0, 0]
    assert (student.grad[[1, 4]] == 0).all()
    assert torch.isfinite(student.grad).all()
    # Of two classes, as one of these teachers knows, standardisation leaves the order, which has no gradient.
    if not loss_name.startswith("standardised"):
        assert (student.grad[[0, 2, 3, 5]].abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_a_batch_on_which_nobody_votes_can_be_stepped_on_and_moves_nothing(fitting, loss_name):
    name, coverages = fitting
    if refuses(name, loss_name):
        return
    student = torch.nn.Parameter(logits(B, C, seed=0))
    before, optimizer = student.detach().clone(), torch.optim.SGD([student], lr=1.0)
    arguments = {"coverages": coverages, "loss_name": loss_name}
    loss_B = aggregate(name, student, logits(K, B, C, seed=1), torch.zeros(K, B), **arguments)
    assert loss_B.tolist() == [0] * B
    loss_B.sum().backward()
    assert student.grad is not None
    optimizer.step()
    assert torch.equal(student, before)


def test_a_teacher_has_no_say_on_rows_where_it_has_no_weight(fitting):
    name, coverages = fitting
    student, teachers = logits(B, C, seed=0), logits(K, B, C, seed=1)
    weights_KB = torch.full((K, B), 0.5)
    weights_KB[0, :3] = 0
    changed = teachers.clone()
    changed[0, :3] = 9 * logits(3, C, seed=2)
    torch.testing.assert_close(
        aggregate(name, student, changed, weights_KB, coverages=coverages),
        aggregate(name, student, teachers, weights_KB, coverages=coverages),
    )


def test_teachers_who_agree_with_the_student_teach_nothing(fitting):
    name, coverages = fitting
    student, weights_KB = logits(B, C, seed=0).requires_grad_(), torch.full((K, B), 1 / K)
    loss_B = aggregate(name, student, student.detach().expand(K, -1, -1), weights_KB, coverages=coverages)
    loss_B.sum().backward()
    torch.testing.assert_close(loss_B.detach(), torch.zeros(B), rtol=0, atol=1e-5)
    torch.testing.assert_close(student.grad, torch.zeros(B, C), rtol=0, atol=1e-5)


def test_no_gradient_flows_into_the_teachers(fitting):
    name, coverages = fitting
    student, teachers = logits(B, C, seed=0).requires_grad_(), logits(K, B, C, seed=1).requires_grad_()
    aggregate(name, student, teachers, torch.full((K, B), 1 / K), coverages=coverages).sum().backward()
    assert teachers.grad is None
    assert student.grad.abs().sum() > 0


def test_one_weight_for_all_rows_may_be_expanded(fitting):
    name, coverages = fitting
    student, teachers, weights_K1 = logits(B, C, seed=0), logits(K, B, C, seed=1), torch.full((K, 1), 1 / K)
    expanded_B = aggregate(name, student, teachers, weights_K1.expand(-1, B), coverages=coverages)
    torch.testing.assert_close(
        expanded_B, aggregate(name, student, teachers, weights_K1.repeat(1, B), coverages=coverages)
    )


@pytest.mark.parametrize("loss_name", ON_LOGITS)
def test_what_a_teacher_says_of_classes_that_it_does_not_know_is_not_read(fitting, loss_name):
    name, coverages = fitting
    if refuses(name, loss_name):
        return
    student, teachers, weights_KB = logits(B, C, seed=0).requires_grad_(), logits(K, B, C, seed=1), torch.rand(K, B)
    changed = teachers.clone()
    for k, known_C in enumerate(ensemble_of(coverages).known_KC):
        changed[k, :, ~known_C] = 50.0 - 100.0 * k
    arguments = {"coverages": coverages, "loss_name": loss_name}
    loss_B = aggregate(name, student, teachers, weights_KB, **arguments)
    assert torch.equal(loss_B, aggregate(name, student, changed, weights_KB, **arguments))
    loss_B.sum().backward()
    assert torch.isfinite(student.grad).all()


def test_parts_of_teachers_are_0_where_one_has_no_weight(fitting):
    name, coverages = fitting
    student, weights_KB = logits(B, C, seed=0), torch.full((K, B), 0.5)
    weights_KB[1, :4] = 0
    parts_KB = traits_of(AGGREGATIONS[name]).of_each(
        [
            Comparison(loss=bind(LossTerm(name="kd", weight=1.0)), group=group)
            for group in ensemble_of(coverages).groups
        ],
        Outputs(logits=student, features={HEADS: student[:, None].expand(-1, K, -1)}),
        TeacherOutputs(logits=logits(K, B, C, seed=1)),
        LABELS,
        weights_KB,
    )
    assert parts_KB.shape == (K, B)
    assert (parts_KB[1, :4] == 0).all()
    assert parts_KB.sum() > 0
