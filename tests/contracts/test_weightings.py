"""What every weighting of teachers must keep; a new one joins by its line in the catalog.

Shape letters: K = teachers, B = batch, C = classes.
"""

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Batch, Coverage, TeacherEnsemble
from trials.weighting import WEIGHTINGS, make_weighting

B, C = 6, 4
LABELS = torch.tensor([0, 1, 2, 3, MISSING_LABEL, MISSING_LABEL])
STYLE = {"style": np.array(["x", "x", "y", "y", "x", "z"])}
X, Y = Coverage(column="style", values=("x",)), Coverage(column="style", values=("y",))
COVERAGES = {
    "everybody": [Coverage()] * 3,
    "by row": [X, Y, Coverage(column="style", values=("x", "y"))],
    "by label": [Coverage(labels=(0, 1)), Coverage(labels=(1, 2)), Coverage()],
    "both": [Coverage(labels=(0, 3), column="style", values=("x",)), Y, Coverage(labels=(3,))],
    "alone": [Coverage()],
}


def weigh(name, coverages, logits_KBC=None):
    """Weights and votes of teachers with these coverages."""
    ensemble = TeacherEnsemble(
        {f"t{k}": coverage for k, coverage in enumerate(coverages)}, num_classes=C, num_rows=B, columns=STYLE
    )
    votes_KB = ensemble.votes(Batch(index=torch.arange(B), inputs=torch.zeros(B, 1), labels=LABELS))
    if logits_KBC is None:
        logits_KBC = make_logits(len(coverages))
    fixed_K = torch.ones(len(coverages))
    weigh = make_weighting(name, len(coverages))
    weights_KB = weigh(logits_KBC, LABELS, votes_KB=votes_KB, fixed_K=fixed_K, ensemble=ensemble)
    return weights_KB.detach(), votes_KB


def make_logits(num_teachers):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(num_teachers, B, C)).astype(np.float32))


@pytest.fixture(params=sorted(WEIGHTINGS))
def name(request):
    return request.param


@pytest.fixture(params=sorted(COVERAGES))
def coverages(request):
    return COVERAGES[request.param]


def test_weights_are_finite_at_least_0_and_only_where_a_teacher_votes(name, coverages):
    weights_KB, votes_KB = weigh(name, coverages)
    assert weights_KB.shape == votes_KB.shape
    assert torch.isfinite(weights_KB).all()
    assert (weights_KB >= 0).all()
    assert (weights_KB[votes_KB == 0] == 0).all()
    assert ((weights_KB.sum(dim=0) > 0) == (votes_KB.sum(dim=0) > 0)).all()


def test_weights_of_a_sample_add_up_to_1_at_most(name, coverages):
    assert (weigh(name, coverages)[0].sum(dim=0) <= 1 + 1e-6).all()


def test_who_votes_alone_has_weight_1(name, coverages):
    weights_KB, votes_KB = weigh(name, coverages)
    alone_B = votes_KB.sum(dim=0) == 1
    torch.testing.assert_close(weights_KB.sum(dim=0)[alone_B], torch.ones(int(alone_B.sum())))


def test_order_of_teachers_does_not_matter(name, coverages):
    logits_KBC = make_logits(len(coverages))
    weights_KB, _ = weigh(name, coverages, logits_KBC)
    turned_KB, _ = weigh(name, coverages[::-1], logits_KBC.flip(0))
    torch.testing.assert_close(turned_KB.flip(0), weights_KB)


def test_a_teacher_that_votes_nowhere_changes_nothing(name):
    logits_KBC = make_logits(3)
    two, _ = weigh(name, [X, X], logits_KBC[:2])
    three, votes_KB = weigh(name, [X, X, Coverage(column="style", values=("z",), labels=(0,))], logits_KBC)
    heard_B = votes_KB[2] == 0
    torch.testing.assert_close(three[:2, heard_B], two[:, heard_B])


def test_teachers_who_say_the_same_count_the_same(name):
    weights_KB, _ = weigh(name, [Coverage()] * 3, make_logits(1).expand(3, -1, -1))
    torch.testing.assert_close(weights_KB, weights_KB[:1].expand(3, -1))


def test_what_a_teacher_says_of_classes_that_it_does_not_know_is_not_read(name):
    coverages, logits_KBC = COVERAGES["by label"], make_logits(3)
    changed_KBC = logits_KBC.clone()
    changed_KBC[0, :, 2:] = 50.0
    changed_KBC[1, :, 0] = -7.0
    assert torch.equal(weigh(name, coverages, logits_KBC)[0], weigh(name, coverages, changed_KBC)[0])


@pytest.mark.parametrize("scale", [0.0, 6e4])
def test_equal_and_extreme_logits_give_finite_weights(name, coverages, scale):
    assert torch.isfinite(weigh(name, coverages, scale * make_logits(len(coverages)))[0]).all()
