"""The n-gram model that teachers must beat, against its formula in loops."""

import importlib.util
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

_spec = importlib.util.spec_from_file_location("_ngram", Path(__file__).parents[2] / "benchmarks" / "_ngram.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
KneserNey = _module.KneserNey

V, END = 6, 1


def documents(seed):
    chance = np.random.default_rng(seed)
    return [chance.choice(np.arange(2, V), size=size, p=[0.6, 0.2, 0.15, 0.05]).tolist() for size in (60, 1, 90)]


def formula(texts, order, context, token):
    """Modified Kneser-Ney in dictionaries, by recursion."""
    grams = Counter()
    for text in texts:
        whole = [END] * (order - 1) + text + [END]
        grams.update(tuple(whole[i : i + order]) for i in range(len(whole) - order + 1))

    def counts(length):
        if length == order:
            return grams
        return Counter(gram[1:] for gram in {gram[-length - 1 :] for gram in grams})

    def probability(context, token):
        shorter = probability(context[1:], token) if context else 1 / V
        found = counts(len(context) + 1)
        n = [sum(count == times for count in found.values()) for times in (1, 2, 3, 4)]
        discount = [0, 0.5, 0.5, 0.5]
        if all(n):
            y = n[0] / (n[0] + 2 * n[1])
            discount = [0, *(max(0, k - (k + 1) * y * n[k] / n[k - 1]) for k in (1, 2, 3))]
        after = [count for gram, count in found.items() if gram[:-1] == context]
        if not after:
            return shorter
        count = found[(*context, token)]
        mass = sum(discount[min(each, 3)] for each in after)
        return (count - discount[min(count, 3)] + mass * shorter) / sum(after)

    return probability(tuple(context), token)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_probability_is_that_of_the_formula_and_they_add_up_to_1(order):
    texts = documents(seed=order)
    model = KneserNey(texts, vocabulary_size=V, order=order, end=END)
    for context in itertools.product(range(V), repeat=order - 1):
        found = model.probabilities(np.tile(np.array(context, dtype=np.int64), (V, 1)), np.arange(V))
        expected = [formula(texts, order, context, token) for token in range(V)]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found.sum() == pytest.approx(1)


def test_bits_are_those_of_each_token_and_of_the_end():
    texts = documents(seed=0)
    model = KneserNey(texts, vocabulary_size=V, order=2, end=END)
    bits = model.bits([2, 3])
    expected = [-np.log2(formula(texts, 2, context, token)) for context, token in [([END], 2), ([2], 3), ([3], END)]]
    np.testing.assert_allclose(bits, expected)


def test_what_was_seen_often_takes_few_bits():
    model = KneserNey([[2, 3] * 50], vocabulary_size=V, order=5, end=END)
    assert model.bits([2, 3] * 10)[4:20].max() < 0.1
    assert model.bits([5, 4])[:2].min() > 1
