"""Models of ids that write: with keys and values kept where they can be, else by reading all again.

Shape letters: B = texts, T = tokens given at a time, P = tokens before, V = vocabulary.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces import Decoder
from search_spaces.attention import Projections
from teachers import Generation, Generator, Outputs, TeacherModel
from trials.ending import end_of
from trials.generation import Continuation, OpenText, write
from trials.sampling import Sampling
from trials.student import Student
from trials.tokenization import Tokenizer


class Writer:
    """Writes texts with a model of token ids; fulfils ``teachers.Generator``."""

    def __init__(self, open_text: OpenText, tokenizer: Tokenizer, *, length: int | None) -> None:
        """Take a model.

        Args:
            open_text: The model.
            tokenizer: Of the model.
            length: Tokens that the model reads at most; None where there is no bound.
        """
        self._open_text, self._tokenizer, self._length = open_text, tokenizer, length

    def generate(
        self, prompts: Sequence[str], *, samples: int, temperature: float, max_new_tokens: int, seed: int
    ) -> list[list[Generation]]:
        """Go on after each prompt; of long ones the end is read, so that what is written has room.

        Raises:
            ValueError: The model does not read as many tokens as are to be written.
        """
        end = end_of(self._tokenizer)
        room = None if self._length is None else self._length - max_new_tokens
        if room is not None and room < 1:
            raise ValueError(
                f"max_new_tokens must be below the {self._length} tokens that the model reads, got {max_new_tokens}"
            )
        # A text begins after the end of the one before, as in training.
        ids = [([end, *of_one])[-(room or 0) :] for of_one in self._tokenizer.ids_of(prompts)]
        written = write(
            self._open_text,
            ids,
            samples=samples,
            sampling=Sampling(temperature=temperature),
            max_new_tokens=max_new_tokens,
            end=end,
            seed=seed,
        )
        return [
            [
                Generation(
                    text=self._tokenizer.decode(each.ids),
                    log_probability=min(0.0, each.log_probability),
                    ended=each.ended,
                )
                for each in of_prompt
            ]
            for of_prompt in written
        ]


def writer_of(model: TeacherModel, tokenizer: Tokenizer, *, length: int) -> Generator:
    """Let a teacher write: by itself where it can, else token by token.

    Args:
        model: Of the teacher.
        tokenizer: Of the ids that the model takes, unless it writes by itself.
        length: Tokens that it reads at most.
    """
    if isinstance(model, Generator):
        return model
    module = getattr(model, "module", None)
    if isinstance(module, Student) and isinstance(module.body, Decoder):
        return Writer(decoder_text(module.body), tokenizer, length=length)
    return Writer(plain_text(model), tokenizer, length=length)


def decoder_text(decoder: Decoder) -> OpenText:
    """Write with a decoder that keeps keys and values."""
    device = next(decoder.parameters()).device

    def open_text() -> Continuation:
        past: tuple[Tensor, ...] | None = None

        def go_on(ids_BT: NDArray[np.int64]) -> NDArray[np.floating]:
            nonlocal past
            with torch.no_grad():
                ids = torch.from_numpy(ids_BT).to(device)
                logits_B1V, past = decoder.step(ids, _nothing_before(decoder, len(ids_BT)) if past is None else past)
            logits: NDArray[np.floating] = logits_B1V[:, -1].float().cpu().numpy()
            return logits

        return go_on

    return open_text


def _nothing_before(decoder: Decoder, num_texts: int) -> tuple[Tensor, ...]:
    """Give keys and values of no tokens."""
    found = []
    for block in decoder.layers:
        project = next(module for module in block.modules() if isinstance(module, Projections))
        heads = project.key.out_features // project.head_size
        found += [torch.zeros(num_texts, heads, 0, project.head_size, device=project.key.weight.device)] * 2
    return tuple(found)


def plain_text(model: Callable[[Tensor], Outputs | Tensor]) -> OpenText:
    """Write with any model that gives logits (B, T, V) of ids: every token is read again for each new one."""

    def open_text() -> Continuation:
        read: list[NDArray[np.int64]] = []

        def go_on(ids_BT: NDArray[np.int64]) -> NDArray[np.floating]:
            read.append(ids_BT)
            with torch.no_grad():
                answer = model(torch.from_numpy(np.concatenate(read, axis=1)))
            logits_BTV = answer if isinstance(answer, Tensor) else answer.logits
            logits: NDArray[np.floating] = logits_BTV[:, -1].float().numpy()
            return logits

        return go_on

    return open_text
