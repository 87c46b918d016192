"""What a server answered, read as votes on classes or as texts.

Shape letters: C = classes.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachers.generating import Generation

_AROUND = " \t\r\n.,:;!?\"'`*()[]{}<>-_"
"""What may stand around the name of a class in an answer."""

_LEAST_MASS = 0.01
"""Of the first token's probability that must be on classes, else the text alone is read."""

_SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Completion:
    """One answer.

    Args:
        text: As it was written.
        tokens: With the logarithm of the probability of each; empty where the server gives none.
        first: Probable first tokens with the logarithms of their probabilities, the one that was written among them.
        written: The first token that was written; empty where the server gives none.
        ended: Whether it ended by itself, as far as the server tells, and was not cut at the most tokens.
    """

    text: str
    tokens: tuple[tuple[str, float], ...] = ()
    first: Mapping[str, float]
    written: str = ""
    ended: bool = True


def completion_of(choice: Mapping[str, Any]) -> Completion:
    """Read one of ``choices`` of ``/chat/completions`` or ``/completions``.

    Raises:
        ValueError: It holds no text.
    """
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    if text is None and isinstance(message, dict):
        text = ""  # Nothing but, say, a refusal or a tool.
    if not isinstance(text, str):
        raise ValueError(f"expected a text in the server's answer, got {str(dict(choice))[:200]}")
    told = choice.get("logprobs") or {}
    if isinstance(told.get("content"), list):
        steps = [
            (step["token"], step["logprob"], {each["token"]: each["logprob"] for each in step.get("top_logprobs", ())})
            for step in told["content"]
        ]
    else:
        tops = told.get("top_logprobs") or []
        steps = [
            (token, logprob, (tops[place] or {}) if place < len(tops) else {})
            for place, (token, logprob) in enumerate(
                zip(told.get("tokens") or (), told.get("token_logprobs") or (), strict=False)
            )
        ]
    start = next((step for step in steps if step[0].strip(_AROUND)), None)
    return Completion(
        text=text,
        tokens=tuple((token, logprob) for token, logprob, _ in steps),
        first={} if start is None else {start[0]: start[1], **start[2]},
        written="" if start is None else start[0],
        ended=choice.get("finish_reason") in ("stop", None),
    )


def class_logits(completion: Completion, class_names: Sequence[str], *, smoothing: float) -> list[float] | None:
    """Turn an answer into logits over classes.

    Where the server tells probabilities of the first token, each token counts for the classes whose names begin with
    it, shared evenly where there are several; the token that was written counts for the class that the whole answer
    names. What is left of the probability is spread evenly. Else the class that the text names gets
    ``1 - smoothing``.

    Args:
        completion: The answer.
        class_names: In the order of the logits.
        smoothing: Probability that is spread over all classes where the text alone is read, between 0 and 1.

    Returns:
        Logarithms of probabilities (C,); None where the answer names no class.
    """
    named = class_named(completion.text, class_names)
    total = len(class_names)
    mass = [0.0] * total
    for token, logprob in completion.first.items():
        probability = math.exp(min(0.0, logprob))
        if token == completion.written and named is not None:
            mass[named] += probability
            continue
        start = token.strip(_AROUND).casefold()
        meant = [c for c, name in enumerate(class_names) if start and name.casefold().startswith(start)]
        for c in meant:
            mass[c] += probability / len(meant)
    if sum(mass) >= _LEAST_MASS:
        told = sum(math.exp(min(0.0, logprob)) for logprob in completion.first.values())
        rest = max(1.0 - told, _SMALLEST) / total
        return [math.log((each + rest) / (sum(mass) + rest * total)) for each in mass]
    if named is None:
        return None
    return [math.log(smoothing / total + (1 - smoothing) * (c == named)) for c in range(total)]


def class_named(text: str, class_names: Sequence[str]) -> int | None:
    """Find the class that a text names: all of it, or as the only class within it; None where there is none."""
    said = text.strip(_AROUND).casefold()
    exact = [c for c, name in enumerate(class_names) if name.strip(_AROUND).casefold() == said]
    if len(exact) == 1:
        return exact[0]
    inside = [c for c, name in enumerate(class_names) if re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", said)]
    return inside[0] if len(inside) == 1 else None


def read_completions(choices: Sequence[Mapping[str, Any]]) -> list[Generation]:
    """Read all choices as texts, with the logarithm of their probability where each token's is told."""
    found = []
    for choice in choices:
        completion = completion_of(choice)
        told = [logprob for _, logprob in completion.tokens if logprob is not None]
        whole = bool(told) and len(told) == len(completion.tokens)
        log_probability = min(0.0, sum(told)) if whole else None
        found.append(Generation(text=completion.text, log_probability=log_probability, ended=completion.ended))
    return found
