"""What a small language model learns from two teachers, by every way to teach it.

    python benchmarks/language_modelling.py [--seeds 3] [--epochs 15] [--teacher-epochs 15] [--characters 400000]

The texts are English prose that comes with Python: docstrings of its standard library, and its language reference. Each
teacher is trained here on one of the two, and knows the other badly. The student sees a third of the training rows.
Every figure is bits a byte on rows of documents that nobody learnt from; less is better.
"""

import argparse
import inspect
import pkgutil
import pydoc_data.topics
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from search_spaces import StudentSpec, decoder
from teachers import CachedOutputs, Coverage, Outputs, OutputStore, Teacher, TeacherEnsemble, fill, pack, plan_shards
from trials.data import Dataset, RawData, split
from trials.distill import distill
from trials.judging import module_predictor
from trials.lesson import Lesson
from trials.packing import pack_documents
from trials.recipe import LossTerm, Recipe
from trials.sequences import best_of, find_scorer, with_completions
from trials.student import Student
from trials.tasks import LanguageModelling
from trials.tokenization import END, Tokenizer, train_tokenizer
from trials.writers import Writer, decoder_text

PARTS = ("docstrings", "reference")
MODULES = """argparse collections datetime decimal difflib email.message fractions functools heapq http.client inspect
ipaddress itertools json logging mailbox math os pathlib pickletools random shutil smtplib socket statistics string
subprocess tarfile tempfile textwrap threading turtle typing unittest uuid"""
VOCABULARY, LENGTH, KEPT = 1024, 64, 64
PROMPTS, PROMPT_TOKENS, SAMPLES = 300, 12, 4
TEACHER = {"layers": 3, "width": 96, "heads": 4, "heads4.kv_heads": 4}
STUDENT = {"layers": 1, "width": 32, "heads": 2, "heads2.kv_heads": 2}


def texts(characters: int) -> tuple[list[str], list[str]]:
    """Give documents and the part that each belongs to, of so many characters a part at most."""
    parts: dict[str, list[str]] = {"docstrings": _docstrings(), "reference": list(pydoc_data.topics.topics.values())}
    found: list[str] = []
    names: list[str] = []
    for name, documents in parts.items():
        room = characters
        for document in documents:
            text = document.strip()[:4000]
            if len(text) < 200 or room < len(text):
                continue
            room -= len(text)
            found.append(text)
            names.append(name)
    return found, names


def _docstrings() -> list[str]:
    """Read those of modules that are written in Python, in the order of their names."""
    found: dict[str, None] = {}
    for name in MODULES.split():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = pkgutil.resolve_name(name)
        for _, member in inspect.getmembers(module):
            for each in (member, *(value for _, value in sorted(getattr(member, "__dict__", {}).items()))):
                text = inspect.getdoc(each) if callable(each) else None
                if text:
                    found.setdefault(text)
    return sorted(found, key=hash_of)


def hash_of(text: str) -> int:
    """Give a number by which texts are shuffled, the same on every machine."""
    return int.from_bytes(text.encode()[::-7][:8].ljust(8, b"x"), "big") * 2654435761 % 2**32


class _Bench:
    """Data, teachers and their answers, which all students share."""

    def __init__(self, characters: int, teacher_epochs: int, folder: Path) -> None:
        documents, names = texts(characters)
        raw = RawData(
            inputs=documents,
            labels=np.array([PARTS.index(name) for name in names], dtype=np.int64),
            class_names=PARTS,
            columns={"part": np.array(names)},
        )
        self.documents = split(raw, validation=0.15, test=0.05, seed=0)
        train = [self.documents.inputs[row] for row in self.documents.splits["train"]]
        self.tokenizer: Tokenizer = train_tokenizer(train, vocabulary_size=VOCABULARY)
        whole = pack_documents(self.documents, self.tokenizer, length=LENGTH)
        self.teachers = [self._teacher(k, whole, teacher_epochs) for k in range(len(PARTS))]
        # The student sees a third of what teachers saw.
        self.dataset = replace(whole, splits={**whole.splits, "train": whole.splits["train"][::3]})
        self.folder = folder

    def _teacher(self, k: int, whole: Dataset, epochs: int) -> Teacher:
        coverage = Coverage(column="part", values=(PARTS[k],))
        covered = coverage.rows(len(whole), whole.columns)
        own = replace(whole, splits={**whole.splits, "train": whole.splits["train"][covered[whole.splits["train"]]]})
        model = build(TEACHER, seed=k)
        recipe = Recipe(
            losses=(LossTerm(name="hard_label", weight=1.0),), epochs=epochs, batch_size=32, learning_rate=3e-3
        )
        distill(model, Lesson(dataset=own, task=task_of(self.tokenizer, own), recipe=recipe, seed=k))
        return Teacher(name=PARTS[k], model=partial(answer, model), coverage=coverage, digest=f"teacher {k}")

    def ensemble(self, dataset: Dataset) -> TeacherEnsemble:
        return TeacherEnsemble(
            {teacher.name: teacher.coverage for teacher in self.teachers},
            num_classes=VOCABULARY,
            num_rows=len(dataset),
            columns=dataset.columns,
        )

    def answers(self, *, drawn: bool) -> CachedOutputs:
        store, ids = OutputStore(self.folder, limit_bytes=None), np.asarray(self.dataset.inputs)
        shards = plan_shards(self.teachers, ids, dtype="float16", top_k=KEPT, drawn=drawn)
        fill(store, shards, self.teachers, ids, num_classes=VOCABULARY)
        return CachedOutputs.open(store, pack(store, shards, self.teachers, num_classes=VOCABULARY))

    def with_written(self) -> Dataset:
        """Add the likeliest of what teachers write after beginnings of training documents."""
        kept, score = [], find_scorer("likelihood")
        texts_of, rows = self.documents.inputs, self.documents.splits["train"]
        for k, teacher in enumerate(self.teachers):
            covered = teacher.coverage.rows(len(self.documents), self.documents.columns)
            own = [int(row) for row in rows if covered[row]][: PROMPTS // len(PARTS)]
            ids = self.tokenizer.ids_of([texts_of[row] for row in own])
            prompts = [self.tokenizer.decode(each[:PROMPT_TOKENS]) for each in ids]
            assert isinstance(teacher.model, partial)
            writer = Writer(decoder_text(teacher.model.args[0].body), self.tokenizer, length=LENGTH)
            tokens = LENGTH - PROMPT_TOKENS - 1
            found = writer.generate(prompts, samples=SAMPLES, temperature=0.8, max_new_tokens=tokens, seed=0)
            for row, prompt, written in zip(own, prompts, found, strict=True):
                texts_and_writers = [(k, text) for text in written]
                kept += best_of(texts_and_writers, document=row, prompt=prompt, reference="", score=score, keep=1)
        return with_completions(
            self.dataset, kept, documents=self.documents, tokenizer=self.tokenizer, end=END, share=None
        )


def task_of(tokenizer: Tokenizer, dataset: Dataset) -> LanguageModelling:
    """Make the task."""
    return LanguageModelling.of(tokenizer, dataset)


def build(values: Mapping[str, int], seed: int) -> Student:
    """Build an untrained decoder."""
    torch.manual_seed(seed)
    space = decoder(lengths=(LENGTH,))
    rest: dict[str, str | int | float | bool] = {
        "length": LENGTH,
        "dropout": 0.0,
        "embedding": 1.0,
        "tied": True,
        "positions": "rotary",
        "norm": "rms",
    }
    spec: StudentSpec = space.spec({**rest, "feedforward": 4, "feedforward.kind": "gelu", **values})
    from search_spaces import ModelSignature, TensorSpec

    signature = ModelSignature(
        inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
        outputs=(TensorSpec(name="logits", shape=(None, VOCABULARY)),),
        vocabulary_size=VOCABULARY,
    )
    return Student(space.build(spec, signature), signature=signature, statistics=None)


def answer(model: Student, inputs: torch.Tensor, features: Sequence[str] = ()) -> Outputs:
    """Answer as a teacher does."""
    with torch.no_grad():
        logits = model(inputs)
    assert isinstance(logits, torch.Tensor)
    return Outputs(logits=logits)


def judged(bench: _Bench, model: Student) -> dict[str, float]:
    """Give bits a byte on the validation rows, of all and of each part."""
    dataset = bench.dataset
    batches = dataset.batches(dataset.splits["validation"], batch_size=dataset.rows_at_a_time())
    found = task_of(bench.tokenizer, dataset).evaluate(module_predictor(model), batches)
    return {"all": found["bits_per_byte"], **{part: found[f"bits_per_byte.part={part}"] for part in PARTS}}


WAYS: dict[str, tuple[tuple[str, float], ...]] = {
    "labels": (("hard_label", 1.0),),
    "forward_kl": (("hard_label", 0.5), ("forward_kl", 0.5)),
    "reverse_kl": (("hard_label", 0.5), ("reverse_kl", 0.5)),
    "jsd": (("hard_label", 0.5), ("jsd", 1.0)),
    "skew_kl": (("hard_label", 0.5), ("skew_kl", 0.5)),
    "forward_kl, 64 drawn": (("hard_label", 0.5), ("forward_kl", 0.5)),
    "forward_kl, on_policy 0.3": (("hard_label", 0.5), ("forward_kl", 0.5)),
    "sequences, labels": (("hard_label", 1.0),),
}
"""Losses and weights by the name of the way."""


def taught(bench: _Bench, way: str, seed: int, epochs: int, written: Dataset) -> dict[str, float]:
    """Train a student in one way, and judge it."""
    dataset = written if way.startswith("sequences") else bench.dataset
    recipe = Recipe(
        losses=tuple(LossTerm(name=name, weight=weight) for name, weight in WAYS[way]),
        epochs=epochs,
        batch_size=32,
        learning_rate=1e-2,
        on_policy=0.3 if "on_policy" in way else 0.0,
    )
    lesson = Lesson(
        dataset=dataset,
        task=task_of(bench.tokenizer, dataset),
        recipe=recipe,
        seed=seed,
        ensemble=bench.ensemble(dataset) if recipe.needs_teachers else None,
        teachers=bench.answers(drawn="drawn" in way) if recipe.needs_teachers else None,
        teacher_models=tuple(teacher.model for teacher in bench.teachers),
    )
    model = build(STUDENT, seed)
    distill(model, lesson)
    return judged(bench, model)


def main() -> None:
    """Train teachers and students, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("seeds", 3), ("epochs", 15), ("teacher-epochs", 15), ("characters", 400_000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        bench = _Bench(asked.characters, asked.teacher_epochs, Path(folder))
        rows = {name: len(each) for name, each in bench.dataset.splits.items()}
        print(f"rows of {LENGTH} tokens: {rows}; made in {time.perf_counter() - started:.0f} s")
        homes = {}
        for teacher in bench.teachers:
            assert isinstance(teacher.model, partial)
            homes[teacher.name] = judged(bench, teacher.model.args[0])
            _say(f"teacher {teacher.name}", [homes[teacher.name]], None)
        written = bench.with_written()
        print(f"rows that teachers wrote: {len(written) - len(bench.dataset)}")
        for way in WAYS:
            started = time.perf_counter()
            found = [taught(bench, way, seed, asked.epochs, written) for seed in range(asked.seeds)]
            _say(way, found, (time.perf_counter() - started) / asked.seeds)


def _say(name: str, found: Sequence[Mapping[str, float]], seconds: float | None) -> None:
    cells = []
    for part in ("all", *PARTS):
        values = [each[part] for each in found]
        spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.3f}{spread}")
    print(f"| {name} | {' | '.join(cells)} |{'' if seconds is None else f' {seconds:.0f} s each'}", flush=True)


if __name__ == "__main__":
    main()
