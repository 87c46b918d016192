"""The best of several texts that were written after one prompt."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from teachers import Generation
from trials.sequences.scoring import Score, likelihood


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A text that is kept.

    Args:
        document: Row of the documents whose beginning is the prompt.
        teacher: Position of who wrote it.
        prompt: What it goes on from.
        text: What was written.
        score: Of the text.
        ended: Whether the text ended by itself, and was not cut at the most tokens.
    """

    document: int
    teacher: int
    prompt: str
    text: str
    score: float
    ended: bool


def best_of(
    written: Sequence[tuple[int, Generation]],
    *,
    document: int,
    prompt: str,
    reference: str,
    score: Score,
    keep: int,
) -> list[Completion]:
    """Score what all teachers wrote after a prompt, and keep the best (Kim and Rush, 2016, section 3.3).

    https://arxiv.org/abs/1606.07947

    The paper searches one teacher's likeliest text; here texts are drawn, so that a metric or a check may choose.

    Args:
        written: Position of the teacher, and its text.
        document: Row of the prompt's document.
        prompt: What they go on from.
        reference: How the document goes on.
        score: Tells which are better.
        keep: So many at most; equal texts are kept once.

    Returns:
        The best, best first; empty where none passes a check.
    """
    scored: dict[str, tuple[tuple[float, float], Completion]] = {}
    for teacher, text in written:
        value = score(prompt, text, reference)
        if value is False or math.isnan(value):
            continue
        rank = (float(value), _tie(text)) if value is True else (float(value), 0.0)
        made = Completion(
            document=document, teacher=teacher, prompt=prompt, text=text.text, score=float(value), ended=text.ended
        )
        if text.text not in scored or rank > scored[text.text][0]:
            scored[text.text] = rank, made
    ordered = sorted(scored.values(), key=lambda each: each[0], reverse=True)
    return [made for _, made in ordered[:keep]]


def mean_score(completions: Iterable[Completion]) -> float:
    """Average scores; NaN of none."""
    scores = [each.score for each in completions]
    return sum(scores) / len(scores) if scores else math.nan


def _tie(text: Generation) -> float:
    return 0.0 if text.log_probability is None else likelihood("", text, "")
