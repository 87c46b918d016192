"""What knowing the syntax is worth: a small decoder of Python from two teachers, by the way it is taught.

Run it from the root of the repository, on a machine that does nothing else::

    python benchmarks/code_distillation.py [--seeds 3] [--kilobytes 1500]

One teacher learns the code of the standard library, the other its docstrings and comments; each is held against an
n-gram model with Kneser-Ney smoothing at home, which sees the same tokens. A student, of a seventh of a teacher's size,
learns both kinds from labels, and from the teacher of each row:

- ``labels only``;
- ``plain``: forward divergence from the teacher (word level);
- ``syntax-aware``: the same, weighed by syntax role;
- ``+ structure attention``: beside it, attention among tokens that share a syntax parent;
- ``sequence level``: of several continuations that a teacher wrote the best one is learnt, of functions one that
  parses, else the likeliest.

Every way has as many steps, the same rows of the library, and the same first weights; the batches of the last one are
larger by what teachers wrote. Bits a byte are those of modules of the test split; functions are completed of that and
of the validation split, from which nobody learns and by which nothing is chosen. Means over seeds with their 95 %
interval (Student's t); a seed decides the student, the order of its rows and what is drawn. Teachers are trained once,
with seed 0.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from _code import (
    KINDS,
    LABELS,
    LENGTH,
    VOCABULARY,
    Corpus,
    KeptOutputs,
    make_decoder,
    read_corpus,
    scores,
    taught_by_labels,
)
from _completions import OF_COMPLETIONS, PROMPT, Tasks, judged, tasks_of, whole, written_by
from _gains import interval
from _ngram import KneserNey

from teachers import MISSING_LABEL, Coverage, TeacherEnsemble
from trials.data import Dataset
from trials.distill import distill
from trials.generation import Written
from trials.lesson import Lesson
from trials.recipe import LossTerm, Recipe
from trials.student import Student
from trials.syntax import ROLES, parses
from trials.tokenization import END, PADDING

TEACHER = partial(make_decoder, layers=3, width=160, dropout=0.1)
STUDENT = partial(make_decoder, layers=2, width=64, dropout=0.0)
SCHOOLING = Recipe(losses=(LABELS,), epochs=10, batch_size=8, learning_rate=0.003, weight_decay=0.1)
RECIPE = Recipe(losses=(LABELS,), epochs=2, batch_size=16, learning_rate=0.005)
PLAIN = LossTerm(name="forward_kl", weight=1.0)
AWARE = LossTerm(name="syntax_forward_kl", weight=1.0)
STRUCTURE = LossTerm(name="structure_attention", weight=1.0)
WAYS: Mapping[str, tuple[LossTerm, ...]] = {
    "labels only": (LABELS,),
    "plain": (LABELS, PLAIN),
    "syntax-aware": (LABELS, AWARE),
    "+ structure attention": (LABELS, AWARE, STRUCTURE),
}
SEQUENCE_LEVEL = "sequence level"
PROMPTS, SAMPLES = 500, 4
"""Prompts of each kind that teachers go on from, and continuations of each."""

ORDER = 5
"""Of the n-gram model."""


def ngram_bits(corpus: Corpus, kind: str) -> float:
    """Give the bits a byte that an n-gram model needs for the test documents of a kind."""
    learnt = corpus.tokenizer.ids_of(corpus.texts["train", kind])
    model = KneserNey(learnt, vocabulary_size=VOCABULARY, order=ORDER, end=END)
    texts = corpus.texts["test", kind]
    bits = sum(float(model.bits(ids).sum()) for ids in corpus.tokenizer.ids_of(texts))
    return bits / sum(len(text.encode()) for text in texts)


def best(written: Sequence[Written], right: Sequence[bool]) -> Written:
    """Choose the likeliest continuation, by token, among those that are right, or among all if none is."""
    chosen = [each for each, is_right in zip(written, right, strict=True) if is_right] or list(written)
    return max(chosen, key=lambda each: each.log_probability / (len(each.ids) + each.ended))


def best_continuations(
    teachers: Mapping[str, Student], corpus: Corpus
) -> tuple[list[tuple[list[int], Written]], float]:
    """Let each teacher go on from prompts of its own kind, and keep the best of several.

    Returns:
        Prompts with what follows, and the share of the functions that parse of which the best ones were chosen.
    """
    functions = tasks_of(corpus.texts["train", "code"], corpus.tokenizer, most=PROMPTS)
    found, share = [], []
    written = written_by(teachers["code"], functions.prompts, temperature=1.0, samples=SAMPLES)
    for function, prompt, several in zip(functions.functions, functions.prompts, written, strict=True):
        right = [parses(whole(function, each, corpus.tokenizer)) for each in several]
        share.append(np.mean(right))
        found.append((list(prompt), best(several, right)))
    rows = corpus.of_kind("prose").splits["train"]
    prompts = [corpus.dataset.inputs[row][:PROMPT].tolist() for row in rows[:: max(1, len(rows) // PROMPTS)]]
    prompts = [prompt for prompt in prompts if PADDING not in prompt]
    written = written_by(teachers["prose"], prompts, temperature=1.0, samples=SAMPLES)
    found += [(prompt, best(several, [True] * SAMPLES)) for prompt, several in zip(prompts, written, strict=True)]
    return found, float(np.mean(share))


def with_continuations(dataset: Dataset, found: Sequence[tuple[list[int], Written]]) -> Dataset:
    """Add rows to the training split, whose labels are what a teacher wrote."""
    inputs = np.full((len(found), LENGTH), PADDING, dtype=np.int64)
    labels = np.full((len(found), LENGTH), MISSING_LABEL, dtype=np.int64)
    for row, (prompt, written) in enumerate(found):
        ids = [*prompt, *written.ids, *[END] * written.ended][: LENGTH + 1]
        inputs[row, : len(ids) - 1] = ids[:-1]
        labels[row, PROMPT - 1 : len(ids) - 1] = ids[PROMPT:]
    assert isinstance(dataset.inputs, np.ndarray)
    added = np.arange(len(dataset), len(dataset) + len(found))
    return replace(
        dataset,
        inputs=np.concatenate([dataset.inputs, inputs]),
        labels=np.concatenate([dataset.labels, labels]),
        splits={**dataset.splits, "train": np.concatenate([dataset.splits["train"], added])},
        columns={},
        facts={},
    )


def students(
    corpus: Corpus, lessons: Mapping[str, Lesson], tasks: Tasks, *, seeds: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """Teach a student each way, seed by seed, and judge it on the test split."""
    for seed in range(seeds):
        for way, lesson in lessons.items():
            student = STUDENT(corpus, seed=seed)
            distill(student, replace(lesson, seed=seed))
            yield way, scores(student, corpus, "test") | judged(student, tasks, corpus)


def lessons_of(corpus: Corpus, teachers: Mapping[str, Student]) -> dict[str, Lesson]:
    """Make a lesson of each way, all of as many steps."""
    coverages = {kind: Coverage(column="kind", values=(kind,)) for kind in KINDS}
    ensemble = TeacherEnsemble(
        coverages, num_classes=VOCABULARY, num_rows=len(corpus.dataset), columns=corpus.dataset.columns
    )
    plain = Lesson(dataset=corpus.dataset, task=corpus.task, recipe=RECIPE, seed=0)
    kept = KeptOutputs(teachers, corpus)
    lessons = {
        way: replace(plain, recipe=replace(RECIPE, losses=terms), ensemble=ensemble, teachers=kept)
        for way, terms in WAYS.items()
    }
    found, share = best_continuations(teachers, corpus)
    print(f"teacher of code: {share:.3f} of its continuations parse, the best of {SAMPLES} of {len(found)} are learnt")
    longer = with_continuations(corpus.dataset, found)
    size = round(RECIPE.batch_size * len(longer.splits["train"]) / len(corpus.dataset.splits["train"]))
    lessons[SEQUENCE_LEVEL] = replace(plain, dataset=longer, recipe=replace(RECIPE, batch_size=size))
    return lessons


def against(found: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Take the differences of what two ways give with the same seed."""
    return [{name: own[name] - theirs[name] for name in own} for own, theirs in zip(found, other, strict=True)]


def print_tables(head: str, found: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Write means with half of their intervals, a way a row: of all, then by role."""
    bits = ["bits_per_byte", *(f"bits_per_byte.kind={kind}" for kind in KINDS)]
    for names in ([*bits, *OF_COMPLETIONS], [f"bits_per_byte.role={role}" for role in ROLES]):
        print(f"\n| {head} | " + " | ".join(name.rpartition("=")[2] for name in names) + " |")
        print("| --- " * (len(names) + 1) + "|")
        for way, of_seeds in found.items():
            print(f"| {way} | " + " | ".join(told(of_seeds, name) for name in names) + " |", flush=True)


def told(found: Sequence[Mapping[str, float]], name: str) -> str:
    """Write a mean with half of its interval."""
    mean, half = interval([scores[name] for scores in found])
    return f"{mean:.3f} ± {half:.3f}"


def taught_teachers(corpus: Corpus) -> dict[str, Student]:
    """Train a teacher of each kind, and tell what it and an n-gram model need."""
    teachers = {}
    print(f"\n| test, bits a byte | code | prose | {ORDER}-gram at home |\n| --- | --- | --- | --- |")
    for kind in KINDS:
        teacher = TEACHER(corpus, seed=0)
        teachers[kind] = taught_by_labels(teacher, corpus, corpus.of_kind(kind), SCHOOLING, seed=0)
        own = " | ".join(f"{scores(teacher, corpus, 'test', home)['bits_per_byte']:.3f}" for home in KINDS)
        print(f"| teacher of {kind} | {own} | {ngram_bits(corpus, kind):.3f} |", flush=True)
    return teachers


def main() -> None:
    """Train, judge, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kilobytes", type=int, default=1500, help="of code, and of prose")
    parser.add_argument("--longest", type=int, default=40_000, help="characters of a module")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    corpus = read_corpus(kilobytes=asked.kilobytes, longest=asked.longest)
    unseen = [text for split in ("validation", "test") for text in corpus.texts[split, "code"]]
    tasks = tasks_of(unseen, corpus.tokenizer, most=200)
    print({split: len(rows) for split, rows in corpus.dataset.splits.items()}, len(tasks.prompts), "functions")
    teachers = taught_teachers(corpus)
    print({name: round(value, 3) for name, value in judged(teachers["code"], tasks, corpus).items()})
    lessons = lessons_of(corpus, teachers)
    print(f"teachers and what they say: {time.process_time() - began:.0f} s of the processor", flush=True)
    found: dict[str, list[dict[str, float]]] = {way: [] for way in lessons}
    for way, of_seed in students(corpus, lessons, tasks, seeds=asked.seeds):
        found[way].append(of_seed)
        print(way, json.dumps(of_seed), flush=True)
    print_tables("taught by", found)
    print_tables("less plain", {way: against(own, found["plain"]) for way, own in found.items() if way != "plain"})
    print(f"all: {time.process_time() - began:.0f} s of the processor")


if __name__ == "__main__":
    main()
