"""What a step of distilling a language model takes of memory and time, in chunks of tokens and all at once.

    python benchmarks/token_step.py [--rows 8] [--length 256] [--vocabulary 16384] [--teachers 2] [--rounds 3]

A step is forward and backward of a student of one embedding and one head, with labels and the forward divergence from
teachers of whom the cache keeps 64 logits a token. Each way runs in a process of its own; memory is the most that the
process held, less what it held before the step.
"""

import argparse
import multiprocessing
import resource
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import ModelSignature, TensorSpec
from teachers import Batch, Coverage, CutLogits, TeacherEnsemble, TokenOutputs
from trials.data import SPLITS, Dataset
from trials.distillation_loss import DistillationLoss
from trials.lesson import Lesson
from trials.recipe import LossTerm, Recipe
from trials.spoken_tokens import token_speaker
from trials.student import Student
from trials.tasks import LanguageModelling
from trials.token_losses import token_means

_KEPT, _WIDTH = 64, 128


class _Body(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, _WIDTH)
        self.head = nn.Linear(_WIDTH, vocabulary, bias=False)

    def hidden(self, input_ids: Tensor) -> Tensor:
        hidden: Tensor = self.embedding(input_ids)
        return hidden

    def forward(self, input_ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.hidden(input_ids))
        return logits


class _Cut:
    """Answers of a cache that was never filled."""

    def __init__(self, answers: TokenOutputs) -> None:
        self._answers = answers

    def __call__(self, batch: Batch, features: object = ()) -> None:
        raise AssertionError("tokens are asked about one by one")

    def of_tokens(self, batch: Batch, features: object = ()) -> TokenOutputs:
        return self._answers


def _lesson(rows: int, length: int, vocabulary: int, teachers: int) -> tuple[Lesson, Batch]:
    ids = np.random.default_rng(0).integers(1, vocabulary, (3 * rows, length))
    dataset = Dataset(
        inputs=ids,
        labels=ids,
        class_names=(),
        splits=dict(zip(SPLITS, np.split(np.arange(3 * rows), 3), strict=True)),
        vocabulary_size=vocabulary,
    )
    names = [str(k) for k in range(teachers)]
    ensemble = TeacherEnsemble(
        {name: Coverage() for name in names}, num_classes=vocabulary, num_rows=len(dataset), columns={}
    )
    torch.manual_seed(0)
    classes = torch.randint(vocabulary, (rows, length, 1)) + torch.arange(_KEPT)
    cut = CutLogits(
        values=torch.randn(rows, length, _KEPT, dtype=torch.float16),
        classes=classes % vocabulary,
        tail=torch.zeros(rows, length, dtype=torch.float16),
        width=vocabulary,
    )
    terms = (LossTerm(name="hard_label", weight=1.0), LossTerm(name="forward_kl", weight=1.0))
    lesson = Lesson(
        dataset=dataset,
        task=LanguageModelling(bytes_V=np.ones(vocabulary, dtype=np.int64)),
        recipe=Recipe(losses=terms, epochs=1, batch_size=rows, learning_rate=1e-3),
        seed=0,
        ensemble=ensemble,
        teachers=_Cut(TokenOutputs(logits=(cut,) * teachers)),  # type: ignore[arg-type] # of tokens alone
    )
    return lesson, dataset.batch(dataset.splits["train"])


def _measure(sizes: tuple[int, int, int, int], rounds: int, at_once: bool) -> tuple[float, float]:
    """Give the memory of a step in MiB, and its seconds."""
    torch.set_num_threads(1)
    lesson, batch = _lesson(*sizes)
    vocabulary = sizes[2]
    signature = ModelSignature(
        inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
        outputs=(TensorSpec(name="logits", shape=(None, vocabulary)),),
        vocabulary_size=vocabulary,
    )
    student = Student(_Body(vocabulary), signature=signature, statistics=None)
    for parameter in student.parameters():
        parameter.grad = torch.zeros_like(parameter)
    speak, loss = token_speaker(student, (), {}, batch), DistillationLoss(lesson)
    teachers = lesson.hear_tokens(batch, ())
    assert isinstance(batch.inputs, Tensor)
    tokens = batch.inputs.numel()
    few = replace(batch, index=batch.index[:1], inputs=batch.inputs[:1, :8], labels=batch.labels[:1, :8])
    torch.autograd.backward(token_means(loss, speak(batch.inputs[:1, :8]), None, few)["hard_label"])
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    for _ in range(rounds):
        means = token_means(loss, speak(batch.inputs), teachers, batch, chunk=tokens if at_once else None)
        torch.autograd.backward(torch.stack(list(means.values())).sum())
    seconds = (time.perf_counter() - started) / rounds
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, seconds


def main() -> None:
    """Measure both ways, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("rows", 8), ("length", 256), ("vocabulary", 16384), ("teachers", 2), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    sizes = (asked.rows, asked.length, asked.vocabulary, asked.teachers)
    logits = asked.rows * asked.length * asked.vocabulary * 4 / 2**20
    print(f"{asked.rows} rows of {asked.length} tokens, {asked.vocabulary} in all, {asked.teachers} teachers")
    print(f"one set of logits: {logits:,.0f} MiB")
    for at_once, words in ((True, "all at once"), (False, "in chunks")):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            memory, seconds = pool.apply(_measure, (sizes, asked.rounds, at_once))
        print(f"{words:<12} {memory:>8,.0f} MiB  {seconds:>6.2f} s a step")


if __name__ == "__main__":
    main()
