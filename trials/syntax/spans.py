"""From what is known of each character to what is known of each token.

Shape letters: c = characters of a text, T = tokens.
"""

import numpy as np
from numpy.typing import NDArray


def facts_of_tokens(fact_c: NDArray[np.int64], span_T2: NDArray[np.int64], *, default: int) -> NDArray[np.int64]:
    """Give each token the fact of most of its characters, and of the first of them where facts are equally many.

    Args:
        fact_c: Of each character.
        span_T2: First character of each token, and the one after its last; they may overlap, as where one character is
            several tokens.
        default: Of a token without characters.

    Returns:
        ``fact_T``.
    """
    fact_T = np.full(len(span_T2), default, dtype=np.int64)
    if not len(fact_c):
        return fact_T
    start_T, end_T = span_T2.T
    some_T = end_T > start_T
    fact_T[some_T] = fact_c[start_T[some_T]]
    # Most tokens are of one fact: where none of the changes between neighbours falls into them.
    changes = np.concatenate([[0], np.cumsum(fact_c[1:] != fact_c[:-1])])
    mixed_T = some_T.copy()
    mixed_T[some_T] = changes[end_T[some_T] - 1] > changes[start_T[some_T]]
    for position in np.flatnonzero(mixed_T):
        facts, first, counts = np.unique(
            fact_c[start_T[position] : end_T[position]], return_index=True, return_counts=True
        )
        most = np.flatnonzero(counts == counts.max())
        fact_T[position] = facts[most[first[most].argmin()]]
    return fact_T
