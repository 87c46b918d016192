"""The next token, drawn from logits; never imports torch, since exported students write without it.

Shape letters: B = texts, V = vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are drawn.

    Args:
        temperature: At least 0; 0 takes the likeliest token each time.
        top_k: Draw among so many of the likeliest tokens; None among all.
        top_p: Draw among the likeliest tokens that have this mass together (Holtzman et al., 2020,
            https://arxiv.org/abs/1904.09751), above 0 and at most 1.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        """Reject what cannot be drawn.

        Raises:
            ValueError: A number is out of range.
        """
        if not 0 <= self.temperature < np.inf:
            raise ValueError(f"temperature must be at least 0, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")


def draw(
    logits_BV: NDArray[np.floating], sampling: Sampling, chances: Sequence[np.random.Generator]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw the next token of each text.

    Args:
        logits_BV: Of the next token.
        sampling: How.
        chances: One a text, so that no text depends on its neighbours.

    Returns:
        ``token_B``, and ``log_p_B``, their log probabilities at temperature 1, among all tokens.
    """
    logits_BV = logits_BV.astype(np.float64)
    log_p_BV = logits_BV - logits_BV.max(axis=1, keepdims=True)
    log_p_BV -= np.log(np.exp(log_p_BV).sum(axis=1, keepdims=True))
    if sampling.temperature == 0:
        token_B = log_p_BV.argmax(axis=1)
    else:
        share_BV = _narrowed(log_p_BV / sampling.temperature, sampling)
        cumulated_BV = share_BV.cumsum(axis=1)
        uniform_B = np.array([chance.random() for chance in chances]) * cumulated_BV[:, -1]
        token_B = (cumulated_BV <= uniform_B[:, None]).sum(axis=1)
    return token_B.astype(np.int64), log_p_BV[np.arange(len(token_B)), token_B]


def _narrowed(scores_BV: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """Give probabilities, 0 for what is not drawn from, up to a factor."""
    share_BV: NDArray[np.float64] = np.exp(scores_BV - scores_BV.max(axis=1, keepdims=True))
    share_BV /= share_BV.sum(axis=1, keepdims=True)
    if (sampling.top_k is None or sampling.top_k >= share_BV.shape[1]) and sampling.top_p == 1:
        return share_BV
    order_BV = np.argsort(-share_BV, axis=1, kind="stable")
    sorted_BV = np.take_along_axis(share_BV, order_BV, axis=1)
    keeps_BV = sorted_BV.cumsum(axis=1) - sorted_BV < sampling.top_p  # The one that fills the mass is in it.
    if sampling.top_k is not None:
        keeps_BV[:, sampling.top_k :] = False
    np.put_along_axis(share_BV, order_BV, np.where(keeps_BV, sorted_BV, 0.0), axis=1)
    return share_BV
