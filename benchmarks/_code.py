"""Python source as code and prose, decoders of two sizes, and teachers whose answers are kept in memory.

Shape letters: N = rows, B = batch, H = heads, T = positions, V = vocabulary, k = tokens that are kept.
"""

import sysconfig
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from examples.code_data import documents
from search_spaces import ModelSignature, StudentSpec
from search_spaces.decoder import build_decoder
from teachers import Batch, CutLogits, Taps, TeacherOutputs, TokenOutputs
from trials.annotating import python_syntax
from trials.data import SPLITS, Dataset
from trials.distill import distill
from trials.lesson import Lesson
from trials.packing import pack_documents
from trials.recipe import LossTerm, Recipe
from trials.student import Student
from trials.tasks import LanguageModelling
from trials.tokenization import Tokenizer, train_tokenizer

KINDS = ("code", "prose")
LENGTH, VOCABULARY = 128, 1024
KEPT = 64
"""Logits of a token that are kept of a teacher's, beside the mass of all others."""

ATTENTION = "attention_last.weights"
LABELS = LossTerm(name="hard_label", weight=1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """Modules of the standard library.

    Args:
        texts: Documents by split and kind.
        tokenizer: Trained on those of the training split.
        dataset: The same as rows of tokens, with their syntax.
        task: Next tokens.
    """

    texts: Mapping[tuple[str, str], Sequence[str]]
    tokenizer: Tokenizer
    dataset: Dataset
    task: LanguageModelling

    @property
    def signature(self) -> ModelSignature:
        """What decoders take in and give out."""
        return self.task.signature(self.dataset)

    def of_kind(self, kind: str) -> Dataset:
        """Keep the rows of one kind in every split."""
        own = self.dataset.columns["kind"] == kind
        splits = {split: rows[own[rows]] for split, rows in self.dataset.splits.items()}
        return replace(self.dataset, splits=splits)


def read_corpus(*, kilobytes: int, longest: int) -> Corpus:
    """Take modules of the standard library, as ``examples/code_data.py`` does."""
    library = Path(sysconfig.get_paths()["stdlib"])
    rows = list(documents(library, kilobytes=kilobytes, longest=longest))
    texts = {
        (split, kind): [row["text"] for row in rows if (row["split"], row["kind"]) == (split, kind)]
        for split in SPLITS
        for kind in KINDS
    }
    whole = Dataset(
        inputs=[row["text"] for row in rows],
        labels=np.zeros(len(rows), dtype=np.int64),
        class_names=("document",),
        splits={split: np.flatnonzero([row["split"] == split for row in rows]) for split in SPLITS},
        columns={"kind": np.array([row["kind"] for row in rows])},
    )
    learnt = [row["text"] for row in rows if row["split"] == "train"]
    tokenizer = train_tokenizer(learnt, vocabulary_size=VOCABULARY)
    dataset = pack_documents(whole, tokenizer, length=LENGTH, annotate=python_syntax)
    return Corpus(texts=texts, tokenizer=tokenizer, dataset=dataset, task=LanguageModelling.of(tokenizer, dataset))


def make_decoder(corpus: Corpus, *, layers: int, width: int, dropout: float, seed: int) -> Student:
    """Build an untrained decoder with four heads."""
    values: dict[str, str | int | float | bool] = {
        "length": LENGTH,
        "layers": layers,
        "width": width,
        "dropout": dropout,
        "embedding": 1.0,
        "tied": True,
        "positions": "rotary",
        "norm": "rms",
        "feedforward": 4,
        "feedforward.kind": "swiglu",
        "heads": 4,
        "heads4.kv_heads": 4,
    }
    torch.manual_seed(seed)
    body = build_decoder(StudentSpec(space="decoder", values=values), corpus.signature)
    return Student(body, signature=corpus.signature, statistics=None)


def taught_by_labels(student: Student, corpus: Corpus, dataset: Dataset, recipe: Recipe, *, seed: int) -> Student:
    """Train on labels alone, in place."""
    lesson = Lesson(dataset=dataset, task=corpus.task, recipe=replace(recipe, losses=(LABELS,)), seed=seed)
    distill(student, lesson)
    return student


def scores(student: nn.Module, corpus: Corpus, split: str, kind: str | None = None) -> dict[str, float]:
    """Judge a model on a split, or on the rows of one kind."""
    dataset = corpus.dataset if kind is None else corpus.of_kind(kind)

    def predict(inputs: Tensor | list[str]) -> NDArray[np.float32]:
        assert isinstance(inputs, Tensor)
        with torch.no_grad():
            logits: NDArray[np.float32] = student(inputs).numpy()
        return logits

    return corpus.task.evaluate(predict, dataset.batches(dataset.splits[split], batch_size=32))


class KeptOutputs:
    """Teachers that have said of every training row of their own kind what a cache would keep.

    Of logits the largest and the mass of all others; of attention the mean over heads. Rows of another kind hold
    nothing that anyone reads.
    """

    def __init__(self, teachers: Mapping[str, Student], corpus: Corpus) -> None:
        """Ask the teachers.

        Args:
            teachers: By the kind of their rows.
            corpus: Whose training rows they are asked about.
        """
        shape = (len(corpus.dataset), LENGTH)
        self._kept = {
            kind: (
                torch.zeros(*shape, KEPT, dtype=torch.float16),
                torch.zeros(*shape, KEPT, dtype=torch.int16),
                torch.zeros(shape, dtype=torch.float16),
                torch.zeros(len(corpus.dataset), 1, LENGTH, LENGTH, dtype=torch.float16),
            )
            for kind in teachers
        }
        for kind, teacher in teachers.items():
            rows = corpus.of_kind(kind).splits["train"]
            example = corpus.dataset.batch(rows[:2])
            taps = Taps(teacher, (ATTENTION,), example=(example.inputs,))
            for batch in corpus.dataset.batches(rows, batch_size=32):
                self._keep(kind, taps, batch)

    def _keep(self, kind: str, taps: Taps, batch: Batch) -> None:
        with torch.no_grad():
            said = taps(batch.inputs)
        logarithms_BTV = said.logits.log_softmax(dim=-1)
        values, classes = logarithms_BTV.topk(KEPT, dim=-1)
        tail = torch.log1p(-values.exp().sum(dim=-1).clamp(max=1 - 1e-6))
        attention = said.features[ATTENTION].mean(dim=1, keepdim=True)
        for kept, new in zip(self._kept[kind], (values, classes, tail, attention), strict=True):
            kept[batch.index] = new.to(kept.dtype)

    def of_tokens(self, batch: Batch, features: Collection[str] = ()) -> TokenOutputs:
        """Give what was kept."""
        logits, maps = [], []
        for values, classes, tail, attention in self._kept.values():
            rows = batch.index
            logits.append(CutLogits(values=values[rows], classes=classes[rows], tail=tail[rows], width=VOCABULARY))
            maps.append({name: attention[rows].float() for name in features})
        return TokenOutputs(logits=tuple(logits), features=tuple(maps))

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Never asked: teachers of a language model speak of tokens."""
        raise AssertionError("tokens are asked about one by one")
