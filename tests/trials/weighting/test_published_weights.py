"""Weights of teachers against the published formulas, written out sample by sample in double precision.

Shape letters: K = teachers, B = batch, C = classes.
"""

import math

import numpy as np
import pytest
import torch

from teachers import MISSING_LABEL, Batch, Coverage, TeacherEnsemble
from trials.weighting import WEIGHTINGS

C = 4
LABELS = (0, 1, 3, MISSING_LABEL, 2)
STYLE = {"style": np.array(["x", "x", "y", "y", "z"])}
COVERAGES = {
    "all": (Coverage(), Coverage(), Coverage()),
    "one": (Coverage(),),
    "by row": (Coverage(column="style", values=("x", "y")), Coverage(column="style", values=("x",)), Coverage()),
    "some rows without any": (Coverage(column="style", values=("x",)), Coverage(column="style", values=("y",))),
    "by label": (Coverage(labels=(0, 1)), Coverage(labels=(1, 2, 3)), Coverage(labels=(2,))),
}


def softmax(row):
    exponentials = [math.exp(value - max(row)) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def known(coverage):
    return range(C) if coverage.labels is None else coverage.labels


def voters(coverages, row):
    label = LABELS[row]
    return [
        k
        for k, coverage in enumerate(coverages)
        if (coverage.column is None or STYLE["style"][row] in coverage.values)
        and (label == MISSING_LABEL or label in known(coverage))
    ]


def entropy_by_hand(logits_KBC, coverages, row):
    voting = voters(coverages, row)
    if len(voting) == 1:
        return {voting[0]: 1.0}
    entropies = {}
    for k in voting:
        p = softmax([logits_KBC[k, row, c] for c in known(coverages[k])])
        entropies[k] = -sum(q * math.log(q) for q in p)
    return {k: (1 - entropies[k] / sum(entropies.values())) / len(voting) for k in voting}


def confidence_by_hand(logits_KBC, coverages, row):
    voting = voters(coverages, row)
    if len(voting) == 1:
        return {voting[0]: 1.0}
    if LABELS[row] == MISSING_LABEL:
        return {k: 1 / len(voting) ** 2 for k in voting}
    losses = []
    for k in voting:
        p = softmax([logits_KBC[k, row, c] for c in known(coverages[k])])
        losses.append(-math.log(p[list(known(coverages[k])).index(LABELS[row])]))
    shares = softmax(losses)
    return {k: (1 - share) / (len(voting) - 1) / len(voting) for k, share in zip(voting, shares, strict=True)}


def fixed_by_hand(logits_KBC, coverages, row):
    del logits_KBC
    voting = voters(coverages, row)
    return {k: (k + 1) / sum(j + 1 for j in voting) for k in voting}


BY_HAND = {"entropy": entropy_by_hand, "confidence": confidence_by_hand, "fixed": fixed_by_hand}


def weigh(name, logits_KBC, coverages):
    ensemble = TeacherEnsemble(
        {f"t{k}": coverage for k, coverage in enumerate(coverages)}, num_classes=C, num_rows=len(LABELS), columns=STYLE
    )
    labels = torch.tensor(LABELS)
    batch = Batch(index=torch.arange(len(LABELS)), inputs=torch.zeros(len(LABELS), 1), labels=labels)
    return WEIGHTINGS[name](
        torch.from_numpy(logits_KBC.astype(np.float32)),
        labels,
        votes_KB=ensemble.votes(batch),
        fixed_K=torch.arange(1.0, len(coverages) + 1),
        ensemble=ensemble,
    ).numpy()


def test_every_weighting_that_learns_nothing_is_written_out():
    assert set(BY_HAND) == {name for name, weigh in WEIGHTINGS.items() if not isinstance(weigh, type)}


@pytest.mark.parametrize("coverages", COVERAGES.values(), ids=COVERAGES)
@pytest.mark.parametrize("name", BY_HAND)
def test_weights_are_those_of_the_formula(name, coverages):
    logits_KBC = np.random.default_rng(0).normal(scale=2, size=(len(coverages), len(LABELS), C))
    expected_KB = np.zeros((len(coverages), len(LABELS)))
    for row in range(len(LABELS)):
        for k, weight in BY_HAND[name](logits_KBC, coverages, row).items():
            expected_KB[k, row] = weight
    np.testing.assert_allclose(weigh(name, logits_KBC, coverages), expected_KB, rtol=1e-5, atol=1e-7)


def test_entropy_weights_add_up_to_k_minus_1_over_k():
    logits_KBC = np.random.default_rng(0).normal(size=(3, len(LABELS), C))
    np.testing.assert_allclose(weigh("entropy", logits_KBC, COVERAGES["all"]).sum(axis=0), 2 / 3, rtol=1e-5)


def test_confidence_weights_add_up_to_1_over_k_with_and_without_a_label():
    logits_KBC = np.random.default_rng(0).normal(size=(3, len(LABELS), C))
    np.testing.assert_allclose(weigh("confidence", logits_KBC, COVERAGES["all"]).sum(axis=0), 1 / 3, rtol=1e-5)


def test_two_teachers_by_hand():
    # Even over two of four classes: ln 2; even over four: ln 4 = 2 ln 2. So 1 - 1/3 and 1 - 2/3, halved.
    even = np.zeros((2, len(LABELS), C))
    even[0, :, 2:] = -60.0
    np.testing.assert_allclose(
        weigh("entropy", even, (Coverage(), Coverage())), np.array([[1 / 3], [1 / 6]]).repeat(len(LABELS), 1), rtol=1e-5
    )


@pytest.mark.parametrize("scale", [100.0, 6e4])
def test_teachers_who_are_all_quite_sure_share_as_equals_do(scale):
    sure = np.zeros((3, len(LABELS), C))
    sure[..., 1] = scale
    np.testing.assert_allclose(weigh("entropy", sure, COVERAGES["all"]), 2 / 9, rtol=1e-5)


def test_surer_and_more_confident_teachers_count_more():
    logits_KBC = np.zeros((2, len(LABELS), C))
    for row, label in enumerate(LABELS):
        logits_KBC[0, row, max(label, 0)] = 3.0
    for name in ("entropy", "confidence"):
        weights_KB = weigh(name, logits_KBC, (Coverage(), Coverage()))
        labelled = [row for row, label in enumerate(LABELS) if label != MISSING_LABEL]
        assert (weights_KB[0, labelled] > weights_KB[1, labelled]).all()


def test_fixed_weights_of_zero_silence_a_teacher():
    ensemble = TeacherEnsemble({"a": Coverage(), "b": Coverage()}, num_classes=C, num_rows=2, columns={})
    weights_KB = WEIGHTINGS["fixed"](
        torch.zeros(2, 2, C),
        torch.zeros(2, dtype=torch.int64),
        votes_KB=torch.ones(2, 2),
        fixed_K=torch.tensor([0.0, 3.0]),
        ensemble=ensemble,
    )
    assert weights_KB.tolist() == [[0, 0], [1, 1]]
