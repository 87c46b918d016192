"""Texts written token by token; never imports torch, since exported students write without it.

Shape letters: B = texts written together, T = tokens given at a time, V = vocabulary.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trials.sampling import Sampling, draw

Continuation = Callable[[NDArray[np.int64]], NDArray[np.floating]]
"""Takes the tokens that follow what it was given before (B, T), and gives logits (B, V) of the next one."""

OpenText = Callable[[], Continuation]
"""Begins texts anew, with nothing before them."""

TEXTS_AT_A_TIME = 32


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written after a prompt.

    Args:
        ids: Tokens, without the prompt and the one that ends the text.
        log_probability: Of all of them, and of the end where it came, at temperature 1.
        ended: Whether the text ended by itself.
    """

    ids: tuple[int, ...]
    log_probability: float
    ended: bool


def write(
    open_text: OpenText,
    prompts: Sequence[Sequence[int]],
    *,
    samples: int,
    sampling: Sampling,
    max_new_tokens: int,
    end: int,
    seed: int,
) -> list[list[Written]]:
    """Go on after each prompt.

    What is drawn depends on the prompt, the seed and the number of the sample alone. Prompts of one length are written
    together.

    Args:
        open_text: The model.
        prompts: Token ids, at least one each.
        samples: Texts after each prompt; at temperature 0 all are one, which is written once.
        sampling: How tokens are drawn.
        max_new_tokens: Of a text, at least 1.
        end: Token that ends a text.
        seed: Of what is drawn, at least 0.

    Returns:
        For each prompt, in order, ``samples`` texts.
    """
    times = 1 if sampling.temperature == 0 else samples
    asked = [(number, sample) for number in range(len(prompts)) for sample in range(times)]
    found: dict[tuple[int, int], Written] = {}
    for together in _of_one_length(asked, prompts):
        ids_BT = np.array([prompts[number] for number, _ in together], dtype=np.int64)
        chances = [_chance(prompts[number], seed, sample) for number, sample in together]
        written = _write_together(open_text(), ids_BT, sampling, chances, max_new_tokens=max_new_tokens, end=end)
        found |= dict(zip(together, written, strict=True))
    return [[found[number, sample % times] for sample in range(samples)] for number in range(len(prompts))]


def _write_together(
    go_on: Continuation,
    ids_BT: NDArray[np.int64],
    sampling: Sampling,
    chances: Sequence[np.random.Generator],
    *,
    max_new_tokens: int,
    end: int,
) -> list[Written]:
    num_texts = len(ids_BT)
    tokens: list[NDArray[np.int64]] = []
    log_p_B, open_B = np.zeros(num_texts), np.ones(num_texts, dtype=bool)
    lengths_B = np.zeros(num_texts, dtype=np.int64)
    while open_B.any() and len(tokens) < max_new_tokens:
        token_B, gain_B = draw(go_on(ids_BT), sampling, chances)
        log_p_B += np.where(open_B, gain_B, 0.0)
        open_B &= token_B != end
        lengths_B += open_B
        tokens.append(token_B)
        ids_BT = token_B[:, None]
    written_BN = np.stack(tokens, axis=1)
    return [
        Written(ids=tuple(row[:length].tolist()), log_probability=float(log_p), ended=not is_open)
        for row, length, log_p, is_open in zip(written_BN, lengths_B, log_p_B, open_B, strict=True)
    ]


def _of_one_length(
    asked: Sequence[tuple[int, int]], prompts: Sequence[Sequence[int]]
) -> Iterator[list[tuple[int, int]]]:
    by_length: dict[int, list[tuple[int, int]]] = {}
    for number, sample in asked:
        by_length.setdefault(len(prompts[number]), []).append((number, sample))
    for group in by_length.values():
        for start in range(0, len(group), TEXTS_AT_A_TIME):
            yield group[start : start + TEXTS_AT_A_TIME]


def _chance(prompt: Sequence[int], seed: int, sample: int) -> np.random.Generator:
    content = np.asarray(prompt, dtype=np.int64).tobytes()
    return np.random.default_rng([seed, sample, int.from_bytes(hashlib.sha256(content).digest()[:8], "big")])
