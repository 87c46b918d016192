"""Functions that a decoder completes, judged by their syntax.

Shape letters: B = prompts, P = tokens of a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from _code import Corpus

from search_spaces.decoder import Decoder
from trials.generation import Written, write
from trials.sampling import Sampling
from trials.student import Student
from trials.syntax import Function, completed, functions_of, parses, syntax_match
from trials.tokenization import END, Tokenizer
from trials.writers import decoder_text

PROMPT, WRITTEN = 64, 64
"""Tokens that a model is shown of a prompt, its last ones, and that it may write."""

OF_COMPLETIONS = ("parses, drawn", "parses, likeliest", "syntax match")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tasks:
    """Functions to complete.

    Args:
        functions: B of them.
        prompts: What a model sees of each, P token ids.
    """

    functions: Sequence[Function]
    prompts: Sequence[Sequence[int]]


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
    return Tasks(functions=[chosen[place][0] for place in places], prompts=[chosen[place][1] for place in places])


def written_by(
    model: Student, prompts: Sequence[Sequence[int]], *, temperature: float, samples: int = 1, seed: int = 0
) -> list[list[Written]]:
    """Let a decoder go on after each prompt, several times."""
    assert isinstance(model.body, Decoder)
    return write(
        decoder_text(model.body),
        prompts,
        samples=samples,
        sampling=Sampling(temperature=temperature),
        max_new_tokens=WRITTEN,
        end=END,
        seed=seed,
    )


def whole(function: Function, written: Written, tokenizer: Tokenizer) -> str:
    """Give a function as it was completed."""
    return completed(function.prompt, tokenizer.decode(written.ids), ended=written.ended)


def judged(student: Student, tasks: Tasks, corpus: Corpus, *, samples: int = 4) -> dict[str, float]:
    """Judge what a student writes.

    Returns:
        The share of functions that parse, of those drawn at temperature 1, several of each; the same, and the mean
        syntax match, of those written of the likeliest tokens.
    """
    likeliest, drawn = (
        [
            [whole(function, each, corpus.tokenizer) for each in of_prompt]
            for function, of_prompt in zip(
                tasks.functions,
                written_by(student, tasks.prompts, temperature=temperature, samples=times),
                strict=True,
            )
        ]
        for temperature, times in ((0.0, 1), (1.0, samples))
    )
    matches = [
        syntax_match(texts[0], function.whole) for texts, function in zip(likeliest, tasks.functions, strict=True)
    ]
    shares = (
        np.mean([parses(text) for texts in drawn for text in texts]),
        np.mean([parses(texts[0]) for texts in likeliest]),
        np.mean(matches),
    )
    return dict(zip(OF_COMPLETIONS, map(float, shares), strict=True))
