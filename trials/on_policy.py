"""Batches that the student writes itself, and on which teachers are asked on the spot.

Shape letters: B = batch, T = positions, P = positions of the prompt.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from search_spaces import Decoder
from teachers import MISSING_LABEL, Batch, TokenOutputs
from trials.annotating import NEXT, UNKNOWN
from trials.generation import write
from trials.lesson import Lesson
from trials.sampling import Sampling
from trials.student import Student
from trials.writers import decoder_text, plain_text

_NEVER = -1
"""No token ends a row: as in the data, another document follows."""


def own_batch(student: Student, batch: Batch, *, seed: int) -> Batch:
    """Let a student go on from the first half of each row, at temperature 1 (GKD: Agarwal et al., 2024, algorithm 1).

    https://arxiv.org/abs/2306.13649

    So it is taught where its own mistakes lead, and not only where texts of others do.

    Args:
        student: In training; left in training.
        batch: Rows of tokens, on the processor.
        seed: Of what is drawn.

    Returns:
        The same rows with other second halves, of which no facts are known, and whose next tokens are the labels of
        these positions alone: nobody says that they are right.
    """
    assert isinstance(batch.inputs, Tensor)
    length = batch.inputs.shape[1]
    begins = max(1, length // 2)
    student.eval()
    open_text = decoder_text(student.body) if isinstance(student.body, Decoder) else plain_text(student)
    written = write(
        open_text,
        [tuple(row) for row in batch.inputs[:, :begins].tolist()],
        samples=1,
        sampling=Sampling(temperature=1.0),
        max_new_tokens=length + 1 - begins,
        end=_NEVER,
        seed=seed,
    )
    student.train()
    new = torch.from_numpy(np.array([text.ids for (text,) in written], dtype=np.int64))
    whole = torch.cat([batch.inputs[:, :begins], new], dim=1)
    labels = whole[:, 1:].clone()
    labels[:, : begins - 1] = MISSING_LABEL
    facts = {
        name: torch.cat([values[:, :kept], torch.full_like(values[:, kept:], UNKNOWN)], dim=1)
        for name, values in batch.facts.items()
        for kept in [begins - name.startswith(NEXT)]
    }
    return replace(batch, inputs=whole[:, :-1].contiguous(), labels=labels, facts=facts)


def asked_now(lesson: Lesson, batch: Batch, features: Collection[str]) -> TokenOutputs:
    """Ask the models of the teachers that the student listens to about a batch that no cache knows."""
    with torch.no_grad():
        answers = [model(batch.inputs, tuple(features)) for _, model in lesson.heard_models]
    inner = tuple({name: answer.features[name].detach() for name in features} for answer in answers)
    return TokenOutputs(
        logits=tuple(answer.logits.detach().float() for answer in answers), features=inner if features else ()
    )
