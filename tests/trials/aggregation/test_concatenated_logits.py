"""Specialists side by side, written out.

Shape letters: K = teachers, B = batch, C = classes.
"""

import re

import numpy as np
import pytest
import torch
from torch import nn

from teachers import MISSING_LABEL, Batch, Coverage, Outputs, TeacherEnsemble, TeacherOutputs
from trials.aggregation import AGGREGATIONS, Comparison, misfit
from trials.losses import bind
from trials.recipe import LossTerm

B, C, T = 5, 5, 2.0
SPECIALISTS = [Coverage(labels=(4, 1)), Coverage(labels=(0,)), Coverage(labels=(2, 3))]
CLASSES = [[1, 4], [0], [2, 3]]
UNKNOWN = torch.full((B,), MISSING_LABEL)


def ensemble_of(*coverages):
    named = {f"t{k}": coverage for k, coverage in enumerate(coverages)}
    return TeacherEnsemble(named, num_classes=C, num_rows=B, columns={"style": np.array(["x", "x", "y", "y", "y"])})


def logits(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def concatenated(student, teachers, label_B, ensemble, loss=None):
    loss = loss or bind(LossTerm(name="kd", weight=1.0, options={"temperature": T}))
    votes_KB = ensemble.votes(Batch(index=torch.arange(B), inputs=torch.zeros(B, 1), labels=label_B)).double()
    return AGGREGATIONS["concatenated_logits"](
        [Comparison(loss=loss, group=group) for group in ensemble.groups],
        Outputs(logits=student),
        TeacherOutputs(logits=teachers),
        label_B,
        weights_KB=votes_KB / votes_KB.sum(dim=0).clamp(min=1),
        temperature=T,
    )


def divergence(teacher, student):
    p_T, p_S = (teacher / T).softmax(dim=-1), (student / T).softmax(dim=-1)
    return T**2 * (p_T * (p_T / p_S).log()).sum(dim=-1)


def test_without_labels_all_speak_at_once():
    student, teachers = logits(B, C).requires_grad_(), logits(3, B, C, seed=1)
    spoken = torch.empty(B, C, dtype=torch.float64)
    for k, classes in enumerate(CLASSES):
        spoken[:, classes] = teachers[k][:, classes]
    found_B, expected_B = (
        concatenated(student, teachers, UNKNOWN, ensemble_of(*SPECIALISTS)),
        divergence(spoken, student),
    )
    torch.testing.assert_close(found_B, expected_B)
    gradients = [torch.autograd.grad(values.sum(), student)[0] for values in (found_B, expected_B)]
    torch.testing.assert_close(*gradients)


def test_a_known_label_is_its_specialist_s_alone():
    student, teachers = logits(B, C), logits(3, B, C, seed=1)
    labels = torch.tensor([4, 0, MISSING_LABEL, 3, 1])
    found_B = concatenated(student, teachers, labels, ensemble_of(*SPECIALISTS))
    everybody_B = concatenated(student, teachers, UNKNOWN, ensemble_of(*SPECIALISTS))
    for row, k in ((0, 0), (1, 1), (3, 2), (4, 0)):
        expected = divergence(teachers[k, row, CLASSES[k]], student[row, CLASSES[k]])
        torch.testing.assert_close(found_B[row], expected)
    torch.testing.assert_close(found_B[2], everybody_B[2])


def test_specialists_who_do_not_cover_a_row_leave_out_their_classes():
    coverages = [SPECIALISTS[0], Coverage(labels=(0,), column="style", values=("x",)), SPECIALISTS[2]]
    student, teachers = logits(B, C), logits(3, B, C, seed=1)
    found_B = concatenated(student, teachers, UNKNOWN, ensemble_of(*coverages))
    spoken = torch.stack([teachers[0][:, 1], *teachers[2][:, 2:4].unbind(dim=1), teachers[0][:, 4]], dim=1)
    expected_B = divergence(spoken, student[:, 1:])
    torch.testing.assert_close(found_B[2:], expected_B[2:])
    assert not torch.isclose(found_B[0], expected_B[0])


def test_it_teaches_what_the_mean_of_losses_cannot():
    # Two specialists of one class each say nothing by themselves, and all together.
    ensemble = TeacherEnsemble(
        {"a": Coverage(labels=(0,)), "b": Coverage(labels=(1,))}, num_classes=2, num_rows=B, columns={}
    )
    student, teachers = torch.zeros(B, 2), torch.tensor([[[3.0, 0.0]] * B, [[0.0, -1.0]] * B])
    comparisons = [Comparison(loss=bind(LossTerm(name="kd", weight=1.0)), group=group) for group in ensemble.groups]
    values = [
        AGGREGATIONS[name](
            comparisons,
            Outputs(logits=student),
            TeacherOutputs(logits=teachers),
            UNKNOWN,
            weights_KB=torch.full((2, B), 0.5),
            temperature=4.0,
        )
        for name in ("mean_of_losses", "concatenated_logits")
    ]
    assert values[0].abs().max() == 0
    assert values[1].min() > 0.5


@pytest.mark.parametrize(
    ("coverages", "message"),
    [
        ([Coverage(labels=(0, 1)), Coverage(labels=(1, 2, 3, 4))], r"share no class, but classes 1 are known by"),
        ([Coverage(), Coverage()], r"share no class, but classes 0, 1, 2, 3, 4 are known by several"),
        ([Coverage(labels=(0, 1)), Coverage(labels=(3,))], r"each class, but nobody knows classes 2, 4; use mean"),
    ],
)
def test_teachers_who_do_not_share_the_classes_out_are_refused(coverages, message):
    assert re.search(message, misfit("concatenated_logits", ensemble_of(*coverages)))


def test_a_loss_with_learnt_parts_is_refused():
    with pytest.raises(ValueError, match="concatenated_logits takes losses that are functions of logits"):
        concatenated(logits(B, C), logits(3, B, C), UNKNOWN, ensemble_of(*SPECIALISTS), loss=nn.Identity())
