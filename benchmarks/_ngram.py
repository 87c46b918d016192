"""An n-gram model with modified Kneser-Ney smoothing, interpolated (Chen and Goodman, 1998).

https://dash.harvard.edu/handle/1/25104739, equations 12 to 17 and section 4.1.6.

Shape letters: M = positions, n = order, V = vocabulary, C = contexts, G = n-grams.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

_KINDS = 3
"""n-grams seen once, twice, and more often have a discount each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Order:
    """Counts of n-grams of one length.

    Args:
        grams: Sorted numbers of the n-grams (G,).
        counts: Of each; of the longest how often it was seen, of shorter ones after how many tokens (G,).
        contexts: Sorted numbers of what stands before the last token (C,).
        totals: Sum of the counts of each context (C,).
        kinds: How many n-grams of each context were counted once, twice, and more often (C, 3).
        discounts: What is taken from a count of one, two, and more (3,).
    """

    grams: Ids
    counts: Ids
    contexts: Ids
    totals: Ids
    kinds: Ids
    discounts: Floats

    def interpolated(self, gram_M: Ids, context_M: Ids, shorter_M: Floats) -> Floats:
        """Mix with the probabilities that shorter n-grams give; an unseen context leaves these as they are."""
        count_M = _looked_up(self.grams, self.counts, gram_M)
        total_M = _looked_up(self.contexts, self.totals, context_M)
        kinds_M3 = _looked_up(self.contexts, self.kinds, context_M)
        taken_M = np.concatenate([[0.0], self.discounts])[np.minimum(count_M, _KINDS)]
        kept_M = count_M - taken_M + kinds_M3 @ self.discounts * shorter_M
        return np.where(total_M > 0, kept_M / np.maximum(total_M, 1), shorter_M)


class KneserNey:
    """Probability of each token after those before it."""

    def __init__(self, documents: Iterable[Sequence[int]], *, vocabulary_size: int, order: int = 5, end: int) -> None:
        """Count.

        Args:
            documents: Ids of the tokens of each.
            vocabulary_size: V; V to the power of the order must fit into 63 bits.
            order: n, at least 1.
            end: Token that ends a document, and stands before the first of the next as often as a context is long.
        """
        self.vocabulary_size, self.order, self.end = vocabulary_size, order, end
        assert vocabulary_size**order < 2**63, "numbers of n-grams must fit into 64 bits"
        grams_Mn = np.concatenate([self._grams(document) for document in documents])
        counted = np.unique(self._number(grams_Mn), return_counts=True)
        self._orders = [self._order(*counted)]
        for length in range(order - 1, 0, -1):
            kinds = np.unique(self._number(grams_Mn[:, -length - 1 :]))
            # A kind of n-gram counts once for the one that is shorter by its first token, however often it was seen.
            counted = np.unique(kinds % vocabulary_size**length, return_counts=True)
            self._orders.insert(0, self._order(*counted))

    def probabilities(self, context_Mn: Ids, token_M: Ids) -> Floats:
        """Give the probability of each token after its context.

        Args:
            context_Mn: n - 1 tokens each.
            token_M: What comes after them.
        """
        gram_Mn = np.concatenate([context_Mn, token_M[:, None]], axis=1)
        probability_M = np.full(len(token_M), 1 / self.vocabulary_size)
        for length, counts in enumerate(self._orders, start=1):
            number_M = self._number(gram_Mn[:, -length:])
            probability_M = counts.interpolated(number_M, number_M // self.vocabulary_size, probability_M)
        return probability_M

    def bits(self, document: Sequence[int]) -> Floats:
        """Give the bits that each token of a document takes, then those of its end."""
        gram_Mn = self._grams(document)
        bits: Floats = -np.log2(self.probabilities(gram_Mn[:, :-1], gram_Mn[:, -1]))
        return bits

    def _grams(self, document: Sequence[int]) -> Ids:
        ids = np.array([*[self.end] * (self.order - 1), *document, self.end], dtype=np.int64)
        return np.lib.stride_tricks.sliding_window_view(ids, self.order)

    def _number(self, gram_Mn: Ids) -> Ids:
        number_M = np.zeros(len(gram_Mn), dtype=np.int64)
        for place in range(gram_Mn.shape[1]):
            number_M = number_M * self.vocabulary_size + gram_Mn[:, place]
        return number_M

    def _order(self, grams: Ids, counts: Ids) -> _Order:
        contexts, first = np.unique(grams // self.vocabulary_size, return_index=True)
        kinds = np.stack([counts == 1, counts == 2, counts >= _KINDS], axis=1)
        return _Order(
            grams=grams,
            counts=counts,
            contexts=contexts,
            totals=np.add.reduceat(counts, first),
            kinds=np.add.reduceat(kinds.astype(np.int64), first),
            discounts=_discounts(counts),
        )


def _discounts(counts: Ids) -> Floats:
    """Estimate the discounts from how many n-grams were counted once to four times; of few n-grams, take halves."""
    seen = [int((counts == times).sum()) for times in range(1, _KINDS + 2)]
    if not all(seen):
        return np.full(_KINDS, 0.5)
    share = seen[0] / (seen[0] + 2 * seen[1])
    return np.array([k - (k + 1) * share * seen[k] / seen[k - 1] for k in range(1, _KINDS + 1)]).clip(0.0, None)


def _looked_up(known: Ids, values: Ids, wanted_M: Ids) -> Ids:
    """Give the value of each number, 0 where it is not known."""
    place_M = np.minimum(np.searchsorted(known, wanted_M), len(known) - 1)
    found: Ids = values[place_M] * (known[place_M] == wanted_M).reshape(-1, *[1] * (values.ndim - 1))
    return found
