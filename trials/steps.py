"""What a step is made of: what the student says of a batch, what the teachers say, and what is lost.

Of rows with one label each, and of rows of tokens, each of which is a sample.
"""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from teachers import Batch, Inputs, Outputs, Taps, TeacherOutputs, TokenOutputs
from trials.aggregation import HEADS
from trials.distillation_loss import DistillationLoss
from trials.lesson import Lesson
from trials.on_policy import asked_now, own_batch
from trials.placing import place_outputs
from trials.shares import GradientShares, gradient_shares, token_gradient_shares
from trials.spoken_tokens import SpokenTokens, token_speaker
from trials.student import Student
from trials.token_losses import token_means


class Steps(Protocol):
    """How a student is asked and judged in a step; what it says, and what teachers say, is passed on as it comes."""

    def speak(self, inputs: Inputs) -> Any:  # each kind of step has its own
        """Ask the student, with what losses read beside."""
        ...

    def example(self, inputs: Inputs) -> Outputs:
        """Ask the student about a few rows, all at once."""
        ...

    def read(self, batch: Batch, generator: np.random.Generator, *, listens: bool) -> Batch:
        """Give what is learnt from in a step.

        Args:
            batch: Rows of the data, on the processor.
            generator: Decides what is left to chance.
            listens: Whether anything is learnt from teachers in this epoch.
        """
        ...

    def hear(self, batch: Batch, features: Collection[str], device: torch.device) -> Any:  # as above
        """Ask the teachers; None where there are none."""
        ...

    def means(
        self,
        loss: DistillationLoss,
        answer: Any,
        teachers: Any,
        batch: Batch,
        *,
        epoch: int,  # as above
    ) -> dict[str, Tensor]:
        """Compute each term that has come in, a scalar each."""
        ...

    def shares(
        self,
        loss: DistillationLoss,
        answer: Any,  # as above
        teachers: Any,  # as above
        batch: Batch,
        *,
        means: Mapping[str, Tensor],
        factors: Mapping[str, float | Tensor],
    ) -> GradientShares:
        """Say who moves the student in this step."""
        ...


class SampleSteps:
    """Steps on rows that have one label each."""

    def __init__(self, student: nn.Module, lesson: Lesson, example: Batch) -> None:
        """Find what losses read in the student.

        Args:
            student: The model.
            lesson: Whose losses and teachers they are.
            example: A few rows, where the student is.
        """
        self._student, self._lesson = student, lesson
        self.speak = _speaker(student, lesson, example)
        self.example = self.speak

    def read(self, batch: Batch, generator: np.random.Generator, *, listens: bool) -> Batch:
        """Take the batch as it is."""
        del generator, listens
        return batch

    def hear(self, batch: Batch, features: Collection[str], device: torch.device) -> TeacherOutputs | None:
        """Ask the teachers; None where there are none."""
        teachers = self._lesson.hear(batch, features)
        return None if teachers is None else place_outputs(teachers, device)

    def means(
        self, loss: DistillationLoss, answer: Outputs, teachers: TeacherOutputs | None, batch: Batch, *, epoch: int
    ) -> dict[str, Tensor]:
        """Compute each term that has come in, a scalar each."""
        means: dict[str, Tensor] = loss(answer, teachers, batch, epoch=epoch)
        return means

    def shares(
        self,
        loss: DistillationLoss,
        answer: Outputs,
        teachers: TeacherOutputs | None,
        batch: Batch,
        *,
        means: Mapping[str, Tensor],
        factors: Mapping[str, float | Tensor],
    ) -> GradientShares:
        """Say who moves the student in this step."""
        return gradient_shares(loss, answer, teachers, batch, means=means, factors=factors, model=self._student)


class TokenSteps:
    """Steps on rows of tokens, each of which is a sample."""

    def __init__(self, student: nn.Module, lesson: Lesson, example: Batch) -> None:
        """Find what losses read in the student; arguments are those of ``SampleSteps``."""
        assert isinstance(student, Student) and not lesson.head_weights
        self._student, self._lesson, self._is_own = student, lesson, False
        self._speak = token_speaker(student, lesson.needs.student, lesson.taps, example)

    def speak(self, inputs: Inputs) -> SpokenTokens:
        """Ask the student for its hidden states, with what losses read beside."""
        assert isinstance(inputs, Tensor), "a language model reads token ids"
        return self._speak(inputs)

    def example(self, inputs: Inputs) -> Outputs:
        """Ask the student about a few rows, all at once."""
        return self.speak(inputs).whole()

    def read(self, batch: Batch, generator: np.random.Generator, *, listens: bool) -> Batch:
        """Let the student write the batch itself in some of the steps, where the recipe says so."""
        share = self._lesson.recipe.on_policy
        self._is_own = bool(share) and listens and generator.random() < share
        return own_batch(self._student, batch, seed=int(generator.integers(2**31))) if self._is_own else batch

    def hear(self, batch: Batch, features: Collection[str], device: torch.device) -> TokenOutputs | None:
        """Ask the teachers; None where there are none. On what the student wrote they are asked on the spot."""
        if self._is_own:
            return asked_now(self._lesson, batch, features).to(device)
        teachers = self._lesson.hear_tokens(batch, features)
        return None if teachers is None else teachers.to(device)

    def means(
        self, loss: DistillationLoss, answer: SpokenTokens, teachers: TokenOutputs | None, batch: Batch, *, epoch: int
    ) -> dict[str, Tensor]:
        """Compute each term that has come in, a scalar each."""
        return token_means(loss, answer, teachers, batch, epoch=epoch, by_labels=not self._is_own)

    def shares(
        self,
        loss: DistillationLoss,
        answer: SpokenTokens,
        teachers: TokenOutputs | None,
        batch: Batch,
        *,
        means: Mapping[str, Tensor],
        factors: Mapping[str, float | Tensor],
    ) -> GradientShares:
        """Say who moves the student in this step."""
        return token_gradient_shares(loss, answer, teachers, batch, means=means, factors=factors, model=self._student)


def make_steps(student: nn.Module, lesson: Lesson, example: Batch) -> Steps:
    """Choose the kind of step by the lesson's data; arguments are those of ``SampleSteps``."""
    return TokenSteps(student, lesson, example) if lesson.dataset.of_tokens else SampleSteps(student, lesson, example)


def _speaker(student: nn.Module, lesson: Lesson, batch: Batch) -> Callable[[Inputs], Outputs]:
    """Make a student say what the recipe's losses need: logits, features by name, and what each of its heads says."""
    names = lesson.needs.student
    if lesson.head_weights:
        assert isinstance(student, Student), "a recipe with heads teaches a student that trials.heads made"
        if not names:
            return functools.partial(_speak_by_heads, student)
    elif not names:
        return lambda inputs: Outputs(logits=student(inputs))
    assert isinstance(batch.inputs, Tensor)
    aliases = dict(lesson.taps)
    if lesson.head_weights:
        names, aliases = (*names, HEADS), {**aliases, HEADS: "body"}
    return Taps(student, names, example=(batch.inputs,), aliases=aliases)


def _speak_by_heads(student: Student, inputs: Inputs) -> Outputs:
    assert isinstance(inputs, Tensor)
    heads = student.heads(inputs)
    return Outputs(logits=student.mean(heads), features={HEADS: heads})
