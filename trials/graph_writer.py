"""Texts written by the graph of a decoder (see ``trials.decoding``).

It never imports torch, since exported students write without it.

Shape letters: B = texts, T = tokens given at a time, V = vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from trials.ending import end_of
from trials.generation import Continuation, OpenText, Written, write
from trials.sampling import Sampling
from trials.sessions import nothing_before
from trials.tokenization import Tokenizer


def write_by_graph(
    session: onnxruntime.InferenceSession,
    prompts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    length: int,
    max_new_tokens: int,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> list[Written]:
    """Go on after prompts, token by token.

    Args:
        session: Of the graph.
        prompts: Texts.
        tokenizer: Of the student.
        length: Tokens that it reads at most; of long prompts the end is read.
        max_new_tokens: Of a text; fewer where the student reads no more.
        sampling: How tokens are drawn; None takes the likeliest each time.
        seed: Of what is drawn.

    Raises:
        ValueError: The tokenizer has no token that ends a text.
    """
    end = end_of(tokenizer)
    max_new_tokens = min(max_new_tokens, max(1, length - 1))
    # A text begins after the end of the one before, as in training.
    ids = [[end, *of_one][max_new_tokens - length :] for of_one in tokenizer.ids_of(prompts)]
    written = write(
        graph_text(session),
        ids,
        samples=1,
        sampling=sampling or Sampling(temperature=0.0),
        max_new_tokens=max_new_tokens,
        end=end,
        seed=seed,
    )
    return [made for (made,) in written]


def graph_text(session: onnxruntime.InferenceSession) -> OpenText:
    """Begin texts with a graph."""
    tokens, *past = session.get_inputs()

    def open_text() -> Continuation:
        kept: dict[str, NDArray[np.float32]] = {}

        def go_on(ids_BT: NDArray[np.int64]) -> NDArray[np.floating]:
            nonlocal kept
            if not kept:
                kept = nothing_before(past, len(ids_BT))
            logits_BTV, *present = session.run(None, {tokens.name: ids_BT, **kept})
            kept = {each.name: values for each, values in zip(past, present, strict=True)}
            logits: NDArray[np.floating] = logits_BTV[:, -1]
            return logits

        return go_on

    return open_text
