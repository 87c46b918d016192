"""Specialists of eight languages, and one student of texts that serves them all.

    python benchmarks/multilingual.py --data FILE.parquet [--seeds 3] [--sentence-encoder MODEL] [--json]

The table is that of examples/multilingual_data.py; of one without validation pages, a tenth of its training pages are
taken. Students see the modules of one training page in ten, other pages by each seed. Teachers see all of them.

Reported on test pages: accuracy by language of every teacher, of the specialist of each text's own language (the
ceiling), of a student from labels alone, and of the same student distilled, in float32 and int8. From labels alone a
student is trained three times, a quarter of the steps, half and all of those that the distilled one gets; the best on
validation counts.

Shape letters: N = rows, K = teachers, C = classes, R = seeds.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _gains import interval
from _texts import Routed, by_language, data_of, embedded, held_bytes, judged, logits_of, read, visible

from examples.multilingual_teachers import fit
from search_spaces import SPACES, Values
from teachers import Coverage, TeacherEnsemble
from trials.distill import distill
from trials.export import export_onnx, onnx_predictor
from trials.judging import in_precisions
from trials.reading import Reading
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import Trial
from trials.setting import Setting
from trials.stages import build
from trials.student import Student
from trials.tasks import Classification
from trials.tokenization import train_tokenizer

Accuracies = Mapping[str, float]
"""By language, and their mean."""

SPACE = SPACES["encoder"]()
STUDENT: Values = {"vocabulary_size": 16384, "length": 128, "layers": 0, "width": 16, "dropout": 0.0}
SPEC = SPACE.spec(STUDENT)
LABELS = LossTerm(name=HARD_LABEL, weight=1.0)
TEACHERS = LossTerm(name="kd", weight=4.0, options={"temperature": 1.0})
RECIPE = Recipe(losses=(LABELS, TEACHERS), epochs=16, batch_size=64, learning_rate=0.01)
SHARES_OF_STEPS = (0.25, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What all seeds share.

    Args:
        table: As read.
        setting: Of the students.
        teachers: Where the specialists are heard.
        ensemble: Who they are.
        ceiling: Accuracy of each text's own specialist on test pages, by language.
        homes: Accuracy of every teacher on test pages, by language.
        num_bytes: What all specialists hold.
    """

    table: pd.DataFrame
    setting: Setting
    teachers: Routed
    ensemble: TeacherEnsemble
    ceiling: Mapping[str, float]
    homes: Mapping[str, Mapping[str, float]]
    num_bytes: int


def prepare(table: pd.DataFrame, *, sentence_encoder: str | None) -> Bench:
    """Fit the specialists, ask them, and make the setting of the students."""
    dataset = data_of(table)
    languages = dataset.columns["lang"]
    specialists = {name: fit(table, name) for name in sorted(set(languages.tolist()))}
    answers_NC = np.zeros((len(dataset), dataset.num_classes), dtype=np.float32)
    for name, specialist in specialists.items():
        answers_NC[languages == name] = logits_of(specialist, dataset, np.flatnonzero(languages == name))
    test = dataset.splits["test"]
    right = answers_NC[test].argmax(axis=1) == dataset.labels[test]
    homes = {name: judged(logits_of(each, dataset, test), dataset, test) for name, each in specialists.items()}
    if sentence_encoder is not None:
        homes["sentence encoder"] = judged(embedded(sentence_encoder, dataset, test), dataset, test)
    coverages = {name: Coverage(column="lang", values=(name,)) for name in specialists}
    texts = [dataset.inputs[row] for row in dataset.splits["train"]]
    return Bench(
        table=table,
        setting=Setting(
            space=SPACE,
            dataset=dataset,
            task=Classification.for_dataset(dataset),
            statistics=None,
            precisions=("float32", "int8"),
            reading=Reading(
                tokenizer=train_tokenizer(map(str, texts), vocabulary_size=int(STUDENT["vocabulary_size"]))
            ),
        ),
        teachers=Routed(answers_NC, np.stack([languages == name for name in specialists])),
        ensemble=TeacherEnsemble(
            coverages, num_classes=dataset.num_classes, num_rows=len(dataset), columns=dataset.columns
        ),
        ceiling=by_language(right, languages[test]),
        homes=homes,
        num_bytes=sum(map(held_bytes, specialists.values())),
    )


def student_of(bench: Bench, recipe: Recipe, seed: int) -> tuple[Trial, Student]:
    """Train a student by a recipe, from what it may see by this seed."""
    dataset = bench.setting.dataset
    setting = replace(bench.setting, dataset=replace(dataset, labelled=visible(bench.table, seed)))
    trial = Trial(number=0, spec=SPEC, recipe=recipe, seed=seed)
    heard = replace(setting, ensemble=bench.ensemble, teachers=bench.teachers) if recipe.needs_teachers else setting
    student = build(trial, setting)
    distill(student, heard.lesson(trial))
    return trial, student


def answered(bench: Bench, trial: Trial, graph: bytes, part: str) -> dict[str, float]:
    """Judge a graph on the pages of a split, by language."""
    dataset, predict = bench.setting.dataset_of(trial.spec), onnx_predictor(graph)
    batches = list(dataset.batches(dataset.splits[part], batch_size=256))
    right = np.concatenate([predict(batch.inputs).argmax(axis=1) == batch.labels.numpy() for batch in batches])
    rows = np.concatenate([batch.index.numpy() for batch in batches])
    return by_language(right, dataset.columns["lang"][rows])


def from_labels(bench: Bench, seed: int) -> dict[str, float]:
    """Train a student from labels alone, three times; give the best on validation."""
    train = bench.setting.dataset.splits["train"]
    seen = int(visible(bench.table, seed)[train].sum())
    tried = []
    for share in SHARES_OF_STEPS:
        epochs = max(1, round(share * RECIPE.epochs * len(train) / seen))
        trial, student = student_of(bench, replace(RECIPE, losses=(LABELS,), epochs=epochs), seed)
        graph = export_onnx(student, bench.setting.signature_of(trial.spec))
        tried.append((answered(bench, trial, graph, "validation")["mean"], graph))
    _, graph = max(tried, key=lambda each: each[0])
    return answered(bench, trial, graph, "test")


def distilled(bench: Bench, seed: int) -> dict[str, tuple[dict[str, float], int]]:
    """Distil a student; give accuracy and bytes by precision."""
    trial, student = student_of(bench, RECIPE, seed)
    graph = export_onnx(student, bench.setting.signature_of(trial.spec))
    graphs = dict(in_precisions(graph, trial, bench.setting))
    return {name: (answered(bench, trial, graph, "test"), len(graph)) for name, graph in graphs.items()}


def lines(bench: Bench, alone: Sequence[Accuracies], taught: Sequence[Mapping[str, Accuracies]]) -> Iterator[str]:
    """Write the table: accuracy on test pages by language, students as means with 95 % intervals over seeds."""
    languages = list(bench.ceiling)
    yield f"{'':24s}" + "".join(f"{language:>14s}" for language in languages)
    for name, found in bench.homes.items():
        yield f"{'teacher ' + name:24s}" + "".join(f"{found[language]:14.3f}" for language in languages)
    yield f"{'its own specialist':24s}" + "".join(f"{bench.ceiling[language]:14.3f}" for language in languages)
    students = {"labels only": alone} | {f"distilled, {name}": [each[name] for each in taught] for name in taught[0]}
    for name, seeds in students.items():
        cells = [interval([each[language] for each in seeds]) for language in languages]
        yield f"{name:24s}" + "".join(f"{mean:8.3f}±{half:.3f}" for mean, half in cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3, help="from 0 on: weights, order of rows, labelled pages")
    parser.add_argument("--sentence-encoder", help="folder or hub name of a model, whose head is fitted on English")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = prepare(read(arguments.data), sentence_encoder=arguments.sentence_encoder)
    alone, taught, num_bytes = [], [], {"specialists": bench.num_bytes}
    for seed in range(arguments.seeds):
        alone.append(from_labels(bench, seed))
        found = distilled(bench, seed)
        taught.append({name: accuracies for name, (accuracies, _) in found.items()})
        num_bytes |= {name: size for name, (_, size) in found.items()}
        print(f"seed {seed}: {alone[-1]['mean']:.3f}, distilled {taught[-1]['float32']['mean']:.3f}", file=sys.stderr)
    reading = bench.setting.reading_of(SPEC)
    assert reading is not None
    num_bytes["tokenizer.json"] = len(reading.tokenizer.definition.encode())
    if arguments.json:
        told = {"teachers": bench.homes, "ceiling": bench.ceiling, "labels only": alone, "distilled": taught}
        print(json.dumps({**told, "bytes": num_bytes}))
        return
    for line in lines(bench, alone, taught):
        print(line)
    print("bytes:", ", ".join(f"{name} {size:,}" for name, size in num_bytes.items()))


if __name__ == "__main__":
    main()
