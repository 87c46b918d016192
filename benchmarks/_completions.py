"""Functions that a decoder completes: written token by token, with keys and values kept, and judged by their syntax.

Shape letters: B = prompts, P = tokens of a prompt, n = tokens that are written, V = vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from _code import Corpus
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.decoder import Decoder
from trials.student import Student
from trials.syntax import Function, completed, functions_of, parses, syntax_match
from trials.tokenization import END, Tokenizer

PROMPT, WRITTEN = 64, 64
"""Tokens that a model is shown of a prompt, its last ones, and that it may write."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tasks:
    """Functions to complete.

    Args:
        functions: B of them.
        prompt_BP: What a model sees of each.
    """

    functions: Sequence[Function]
    prompt_BP: Tensor


def tasks_of(texts: Sequence[str], tokenizer: Tokenizer, *, most: int) -> Tasks:
    """Find functions with enough before them, whose body is short enough to be written; evenly spread if too many."""
    chosen: list[tuple[Function, list[int]]] = []
    for text in texts:
        functions = functions_of(text)
        prompts = tokenizer.ids_of([function.prompt for function in functions])
        bodies = tokenizer.ids_of([function.body for function in functions])
        for function, prompt, body in zip(functions, prompts, bodies, strict=True):
            if len(prompt) >= PROMPT and len(body) <= WRITTEN:
                chosen.append((function, prompt[-PROMPT:]))
    places = np.unique(np.linspace(0, len(chosen) - 1, min(most, len(chosen))).astype(int))
    return Tasks(
        functions=[chosen[place][0] for place in places],
        prompt_BP=torch.tensor([chosen[place][1] for place in places]),
    )


def write(
    student: Student, prompt_BP: Tensor, *, temperature: float, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Let a decoder go on.

    Args:
        student: With a body that is a ``Decoder``.
        prompt_BP: Token ids.
        temperature: Of sampling; 0 takes the likeliest token.
        seed: Of sampling.

    Returns:
        Tokens (B, n), ``END`` after the first ``END``, and the mean logarithm of their probabilities (B,), without what
        follows the first ``END``.
    """
    body = student.body
    assert isinstance(body, Decoder)
    chance = torch.Generator().manual_seed(seed)
    block = body.layers[0]
    past = tuple(torch.zeros(len(prompt_BP), 4, 0, body.norm.weight.shape[0] // 4) for _ in range(2 * len(body.layers)))
    del block
    token_B1, written = prompt_BP, []
    alive_B, sum_B, count_B = (torch.ones(len(prompt_BP)), torch.zeros(len(prompt_BP)), torch.zeros(len(prompt_BP)))
    with torch.no_grad():
        for _ in range(WRITTEN):
            logits_B1V, past = body.step(token_B1, past)
            logarithm_BV = logits_B1V[:, -1].log_softmax(dim=-1)
            logarithm_BV[:, 0] = -torch.inf  # Padding is not written.
            if temperature:
                token_B1 = torch.multinomial((logarithm_BV / temperature).softmax(dim=-1), 1, generator=chance)
            else:
                token_B1 = logarithm_BV.argmax(dim=-1, keepdim=True)
            sum_B += alive_B * logarithm_BV.gather(1, token_B1)[:, 0]
            count_B += alive_B
            token_B1 = torch.where(alive_B[:, None] > 0, token_B1, END)
            alive_B = alive_B * (token_B1[:, 0] != END)
            written.append(token_B1)
    return torch.cat(written, dim=1).numpy(), (sum_B / count_B).numpy().astype(np.float64)


def functions_written(tasks: Tasks, written_Bn: NDArray[np.int64], tokenizer: Tokenizer) -> list[str]:
    """Give each function as it was completed."""
    return [
        completed(function.prompt, tokenizer.decode(ids), ended=bool((ids == END).any()))
        for function, ids in zip(tasks.functions, written_Bn, strict=True)
    ]


def judged(student: Student, tasks: Tasks, corpus: Corpus, *, samples: int = 4) -> dict[str, float]:
    """Judge what a student writes.

    Returns:
        ``parses``, the share of functions that parse, drawn at temperature 1 several times; ``parses.likeliest`` and
        ``syntax_match`` of those written token by token by the likeliest.
    """
    likeliest = functions_written(tasks, write(student, tasks.prompt_BP, temperature=0.0)[0], corpus.tokenizer)
    drawn = [
        text
        for seed in range(samples)
        for text in functions_written(
            tasks, write(student, tasks.prompt_BP, temperature=1.0, seed=seed)[0], corpus.tokenizer
        )
    ]
    matches = [syntax_match(text, function.whole) for text, function in zip(likeliest, tasks.functions, strict=True)]
    return {
        "parses": float(np.mean([parses(text) for text in drawn])),
        "parses.likeliest": float(np.mean([parses(text) for text in likeliest])),
        "syntax_match": float(np.mean(matches)),
    }
