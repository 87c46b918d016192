"""The gate: even at the start, taught by labels alone.

Shape letters: K = teachers, N = rows, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Batch, Coverage, TeacherEnsemble
from trials.weighting import make_weighting

N, C = 64, 4
LABELS = torch.from_numpy(np.random.default_rng(0).integers(C, size=N))
EVERYWHERE = [Coverage()] * 3


def ensemble_of(coverages, columns=None):
    named = {f"t{k}": coverage for k, coverage in enumerate(coverages)}
    return TeacherEnsemble(named, num_classes=C, num_rows=N, columns=columns or {})


def noise(num_teachers, scale=3.0):
    return torch.from_numpy(np.random.default_rng(1).normal(scale=scale, size=(num_teachers, N, C))).float()


def train(gate, logits_KBC, labels, ensemble, steps=200):
    """Train the gate alone; give its weights before each step and at the end."""
    optimizer = torch.optim.AdamW(gate.parameters(), lr=0.05)
    votes_KB = ensemble.votes(Batch(index=torch.arange(N), inputs=torch.zeros(N, 1), labels=labels))
    seen = []
    for step in range(steps + 1):
        weights_KB = gate(logits_KBC, labels, votes_KB=votes_KB, fixed_K=torch.ones(len(ensemble)), ensemble=ensemble)
        seen.append(weights_KB.detach())
        if step < steps:
            optimizer.zero_grad()
            gate.loss(weights_KB, logits_KBC, labels, ensemble).backward()
            optimizer.step()
    return seen


def test_it_starts_even_and_goes_to_the_teacher_who_is_right():
    logits_KBC = noise(3)
    logits_KBC[1] = 6 * torch.nn.functional.one_hot(LABELS, C)
    first, *_, last = train(make_weighting("learnt", 3), logits_KBC, LABELS, ensemble_of(EVERYWHERE))
    torch.testing.assert_close(first, torch.full((3, N), 1 / 3))
    assert last[1].min() > 0.9


def test_it_learns_that_certainty_is_worth_something_with_one_teacher_and_nothing_with_another():
    # The first is right where it is sure, the second is sure everywhere, and wrong on half.
    right = torch.arange(N) % 2 == 0
    truth = torch.nn.functional.one_hot(LABELS, C).float()
    wrong = torch.nn.functional.one_hot((LABELS + 1) % C, C).float()
    logits_KBC = torch.stack(
        [torch.where(right[:, None], 6 * truth, 0.3 * wrong), torch.where(right[:, None], wrong, truth) * 6]
    )
    last = train(make_weighting("learnt", 2), logits_KBC, LABELS, ensemble_of([Coverage()] * 2), steps=400)[-1]
    assert last[0, right].min() > 0.9
    assert last[1, ~right].min() > 0.8


def test_the_loss_is_the_cross_entropy_of_the_mixture_on_labelled_rows_with_a_voter():
    logits_KBC, labels = noise(2), LABELS.clone()
    labels[::3] = MISSING_LABEL
    weights_KB = torch.rand(2, N)
    weights_KB = weights_KB / weights_KB.sum(dim=0)
    weights_KB[:, 1] = 0
    found = make_weighting("learnt", 2).loss(weights_KB, logits_KBC, labels, ensemble_of([Coverage()] * 2))
    p_KBC = logits_KBC.double().softmax(dim=-1)
    judged = [row for row in range(N) if row % 3 and row != 1]
    mixtures = [sum(weights_KB[k, row] * p_KBC[k, row, labels[row]] for k in range(2)) for row in judged]
    assert float(found) == pytest.approx(-np.mean(np.log([float(p) for p in mixtures])), rel=1e-5)


def test_without_any_label_nothing_is_lost_and_nothing_learnt():
    gate, logits_KBC = make_weighting("learnt", 3), noise(3)
    labels = torch.full((N,), MISSING_LABEL)
    seen = train(gate, logits_KBC, labels, ensemble_of(EVERYWHERE), steps=3)
    assert gate.loss(seen[0], logits_KBC, labels, ensemble_of(EVERYWHERE)) == 0
    assert torch.equal(seen[0], seen[-1])


def test_after_training_too_nobody_votes_where_it_covers_nothing():
    columns = {"style": np.array(["x", "y"] * (N // 2))}
    coverages = [Coverage(column="style", values=("x",)), Coverage(labels=(0, 1)), Coverage(labels=(0, 2, 3))]
    ensemble = ensemble_of(coverages, columns)
    logits_KBC = noise(3)
    last = train(make_weighting("learnt", 3), logits_KBC, LABELS, ensemble, steps=30)[-1]
    votes_KB = ensemble.votes(Batch(index=torch.arange(N), inputs=torch.zeros(N, 1), labels=LABELS))
    assert (last[votes_KB == 0] == 0).all()
    torch.testing.assert_close(last.sum(dim=0), (votes_KB.sum(dim=0) > 0).float())


@pytest.mark.parametrize("scale", [0.0, 6e4])
def test_gradients_stay_finite_whatever_teachers_say_and_whoever_votes(scale):
    gate, ensemble = make_weighting("learnt", 3), ensemble_of(EVERYWHERE)
    votes_KB = torch.ones(3, N)
    votes_KB[:, 5] = 0
    logits_KBC = noise(3, scale=1.0) * scale
    weights_KB = gate(logits_KBC, LABELS, votes_KB=votes_KB, fixed_K=torch.ones(3), ensemble=ensemble)
    gate.loss(weights_KB, logits_KBC, LABELS, ensemble).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in gate.parameters())
