"""What runs on the workers for language models: teachers judged by tokens, and teachers that write."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from teachers import LOGITS, Teacher, compute_shard, rows_of_call
from trials.tasks.language_modelling import tally_rows
from trials.tokenization import Tokenizer
from trials.writers import writer_of


def tally_on_node(
    teacher: Teacher,
    inputs: NDArray[np.int64],
    labels: NDArray[np.int64],
    bytes_V: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float64]:
    """Count what rows of tokens cost a teacher (R, 4), a few rows at a time; see ``tally_rows``."""
    torch.set_num_threads(threads)
    at_a_time, tallies = rows_of_call(inputs, len(bytes_V)), []
    for start in range(0, len(inputs), at_a_time):
        rows = slice(start, start + at_a_time)
        answer = compute_shard(teacher, inputs[rows], num_classes=len(bytes_V), dtype="float32")[LOGITS]["values"]
        tallies.append(tally_rows(answer.astype(np.float32), labels[rows], bytes_V))
    return np.concatenate(tallies)


def write_on_node(
    teacher: Teacher, reading: tuple[str, int], prompts: Sequence[str], how: Mapping[str, Any], threads: int
) -> dict[str, NDArray[np.generic]]:
    """Let a teacher go on after prompts.

    Args:
        teacher: Writes by itself, or by the ids of the data's tokenizer.
        reading: Definition of that tokenizer, and tokens that models read at most.
        prompts: Texts.
        how: As ``Generator.generate`` takes it.
        threads: Of PyTorch.

    Returns:
        ``bytes`` of all texts, ``lengths`` and ``log_probabilities`` of each (NaN where unknown), whether each
        ``ended``, ``counts`` of texts after each prompt.
    """
    torch.set_num_threads(threads)
    texts = writer_of(teacher.model, Tokenizer(reading[0]), length=reading[1]).generate(prompts, **how)
    flat = [text for of_prompt in texts for text in of_prompt]
    encoded = [text.text.encode("utf-8", "replace") for text in flat]
    return {
        "bytes": np.frombuffer(b"".join(encoded) or b"\0", dtype=np.uint8),
        "lengths": np.array([len(each) for each in encoded], dtype=np.int64),
        "log_probabilities": np.array(
            [math.nan if text.log_probability is None else text.log_probability for text in flat], dtype=np.float64
        ),
        "ended": np.array([text.ended for text in flat], dtype=bool),
        "counts": np.array([len(of_prompt) for of_prompt in texts], dtype=np.int64),
    }
