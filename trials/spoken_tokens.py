"""What a student says of tokens: hidden states once, logits a few tokens at a time.

A batch of B rows of T tokens over a vocabulary of V would have B * T * V logits, of which gradient, softmax and each
teacher's share take as many again. So only the hidden states of a batch are kept, and the head runs on chunks of them.

Shape letters: B = batch, T = positions, D = width of the last hidden state, V = vocabulary, M = tokens of a batch that
have a label, n = tokens of a chunk.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, Batch, Outputs
from teachers.taps import Taps
from trials.student import Student

LOGITS_AT_A_TIME = 2**22
"""Logits of a chunk, those of all teachers together: 16 MB."""


@runtime_checkable
class LanguageModel(Protocol):
    """A body whose head can run by itself: ``forward(ids)`` is ``head(hidden(ids))``."""

    head: nn.Module
    """From hidden states (..., D) to logits (..., V)."""

    def hidden(self, input_ids: Tensor) -> Tensor:
        """Give the last hidden states (B, T, D) of token ids (B, T)."""
        ...


class UpToHead(nn.Module):
    """A student without its head; its modules have the same paths, so that features have the same names."""

    def __init__(self, student: Student) -> None:
        """Share a student's body."""
        super().__init__()
        self.body = student.body

    def forward(self, input_ids: Tensor) -> Tensor:
        """Give hidden states, or logits where the body does not tell them apart."""
        hidden: Tensor = self.body.hidden(input_ids) if isinstance(self.body, LanguageModel) else self.body(input_ids)
        return hidden


@dataclass(frozen=True, kw_only=True, eq=False)
class SpokenTokens:
    """What a student said of a batch.

    Args:
        hidden_BTD: Last hidden states.
        features: What losses read beside, by name, each (B, ...).
        head: From hidden states to logits.
    """

    hidden_BTD: Tensor
    features: Mapping[str, Tensor]
    head: Callable[[Tensor], Tensor]

    def of_rows(self) -> Outputs:
        """Give the features alone, with logits (B, 0) of nothing."""
        return Outputs(logits=self.hidden_BTD.new_zeros(len(self.hidden_BTD), 0), features=self.features)

    def whole(self) -> Outputs:
        """Give all logits (B, T, V): for a few rows."""
        return Outputs(logits=self.head(self.hidden_BTD), features=self.features)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """Tokens of a batch that have a label, each of which is a sample.

    Args:
        position: Where they stand among all positions of the batch (n,), row by row.
        index: Row of the data set that each is of (n,).
        labels: The next token (n,).
        facts: What is known of each, by name (n,).
    """

    position: Tensor
    index: Tensor
    labels: Tensor
    facts: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Batch) -> "Tokens":
        """Find them."""
        label_M = batch.labels.flatten()
        position = (label_M != MISSING_LABEL).nonzero().squeeze(-1)
        rows = position.div(batch.labels.shape[1], rounding_mode="floor")
        facts = {name: values.flatten()[position] for name, values in batch.facts.items()}
        return cls(position=position, index=batch.index[rows], labels=label_M[position], facts=facts)

    def __len__(self) -> int:
        """Count them."""
        return len(self.labels)

    def cut(self, size: int) -> list["Tokens"]:
        """Cut them into chunks of nearly one size, at most ``size``."""
        num_chunks = max(1, -(-len(self) // size))
        parts = (torch.tensor_split(part, num_chunks) for part in (self.position, self.index, self.labels))
        facts = {name: torch.tensor_split(values, num_chunks) for name, values in self.facts.items()}
        return [
            Tokens(position=p, index=i, labels=label, facts={name: cut[number] for name, cut in facts.items()})
            for number, (p, i, label) in enumerate(zip(*parts, strict=True))
        ]

    def batch(self) -> Batch:
        """Give them as a batch of samples; nobody reads their inputs."""
        return Batch(index=self.index, inputs=self.labels, labels=self.labels, facts=self.facts)


def chunk_tokens(num_tokens: int, num_teachers: int) -> int:
    """Say how many tokens a chunk has, at most.

    Args:
        num_tokens: Of the vocabulary, V.
        num_teachers: That are heard.
    """
    return max(1, LOGITS_AT_A_TIME // (num_tokens * max(1, num_teachers)))


def token_speaker(
    student: Student, names: tuple[str, ...], aliases: Mapping[str, str], example: Batch
) -> Callable[[Tensor], SpokenTokens]:
    """Make a student say what losses need of token ids: hidden states, and features by name."""
    model = UpToHead(student)
    head = student.body.head if isinstance(student.body, LanguageModel) else nn.Identity()
    assert isinstance(example.inputs, Tensor)
    taps = Taps(model, names, example=(example.inputs,), aliases=aliases) if names else None

    def speak(inputs: Tensor) -> SpokenTokens:
        if taps is None:
            return SpokenTokens(hidden_BTD=model(inputs), features={}, head=head)
        answer = taps(inputs)
        return SpokenTokens(hidden_BTD=answer.logits, features=answer.features, head=head)

    return speak
