"""Texts that an exported language model writes; needs numpy, ONNX Runtime and tokenizers, and never imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from trials.graph_writer import write_by_graph
from trials.sampling import Sampling
from trials.tokenization import read_tokenizer

MAX_NEW_TOKENS = 64


@dataclass(frozen=True, kw_only=True)
class Text:
    """What a student wrote.

    Args:
        source: File that the prompt came from, with ``#`` and its row where the file has several.
        prompt: What it went on from.
        text: What it wrote.
        log_probability: Of that, in nats.
    """

    source: str
    prompt: str
    text: str
    log_probability: float


def write_after(
    folder: Path,
    session: onnxruntime.InferenceSession,
    description: Mapping[str, Any],
    prompts: Mapping[str, str],
    *,
    sampling: Sampling | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    seed: int = 0,
) -> list[Text]:
    """Go on after prompts, token by token.

    Args:
        folder: As ``automl export`` wrote it.
        session: With its graph that writes.
        description: Of the student.
        prompts: Texts, by where they came from.
        sampling: How tokens are drawn; None takes the likeliest each time.
        max_new_tokens: Of a text; fewer where the student reads no more.
        seed: Of what is drawn.

    Raises:
        ValueError: The folder lacks the tokenizer, or it has no token that ends a text.
    """
    tokenizer = read_tokenizer(folder)
    written = write_by_graph(
        session,
        list(prompts.values()),
        tokenizer,
        length=int(description["tokenizer"]["length"]),
        max_new_tokens=max_new_tokens,
        sampling=sampling,
        seed=seed,
    )
    return [
        Text(source=source, prompt=prompt, text=tokenizer.decode(made.ids), log_probability=made.log_probability)
        for (source, prompt), made in zip(prompts.items(), written, strict=True)
    ]


def format_texts(texts: Sequence[Text]) -> str:
    """Write texts with what they go on from."""
    return "\n\n".join(f"{each.source}\n{each.prompt}|{each.text}" for each in texts)
