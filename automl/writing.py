"""Texts that an exported language model writes; needs numpy, ONNX Runtime and tokenizers, and never imports torch.

Shape letters: B = texts, T = tokens given at a time, V = vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from trials.ending import end_of
from trials.generation import Continuation, OpenText, write
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
    end = end_of(tokenizer)
    length = int(description["tokenizer"]["length"])
    max_new_tokens = min(max_new_tokens, max(1, length - 1))
    # Of long prompts the end is read; a text begins after the end of the one before, as in training.
    ids = [[end, *of_one][max_new_tokens - length :] for of_one in tokenizer.ids_of(list(prompts.values()))]
    written = write(
        graph_text(session),
        ids,
        samples=1,
        sampling=sampling or Sampling(temperature=0.0),
        max_new_tokens=max_new_tokens,
        end=end,
        seed=seed,
    )
    return [
        Text(source=source, prompt=prompt, text=tokenizer.decode(made.ids), log_probability=made.log_probability)
        for (source, prompt), (made,) in zip(prompts.items(), written, strict=True)
    ]


def graph_text(session: onnxruntime.InferenceSession) -> OpenText:
    """Write with a graph of ``trials.decoding``."""
    tokens, *past = session.get_inputs()

    def open_text() -> Continuation:
        kept: dict[str, NDArray[np.generic]] = {}

        def go_on(ids_BT: NDArray[np.int64]) -> NDArray[np.floating]:
            nonlocal kept
            if not kept:
                kept = {each.name: _nothing(each.shape, len(ids_BT)) for each in past}
            logits_B1V, *present = session.run(None, {tokens.name: ids_BT, **kept})
            kept = {each.name: values for each, values in zip(past, present, strict=True)}
            logits: NDArray[np.floating] = logits_B1V[:, -1]
            return logits

        return go_on

    return open_text


def format_texts(texts: Sequence[Text]) -> str:
    """Write texts with what they go on from."""
    return "\n\n".join(f"{each.source}\n{each.prompt}|{each.text}" for each in texts)


def _nothing(shape: Sequence[int | str | None], num_texts: int) -> NDArray[np.float32]:
    return np.zeros((num_texts, *(size if isinstance(size, int) else 0 for size in shape[1:])), dtype=np.float32)
