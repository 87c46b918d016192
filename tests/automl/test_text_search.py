"""A search over texts in two languages, from a table to what is predicted, with a specialist for each."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import skops.io  # type: ignore[import-untyped] # it ships no types
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl.check import check
from automl.check.tokens import token_lines
from automl.config import load_config
from automl.errors import UserError
from automl.export import export
from automl.predicting.predict import predict
from automl.preparation.prepare import prepare
from automl.run import Run
from automl.searching.search import search
from tests.automl.conftest import InProcessExecutor
from tests.trials.text_trials import CLASSES, texts
from trials.records import Outcome

STUDENT = """\
  space: encoder
  choices: {vocabulary_size: 1024, length: 64, layers: [0, 1], width: 16, dropout: 0.0}"""
CONFIG = """
name: small
runs: {folder}/runs
data: {{kind: table, path: texts.csv, label: about, text: said, columns: [lang], labelled: 0.1}}
student:
{student}
recipe:
  epochs: 5
  batch_size: 16
  learning_rate: 0.02
  losses: {{hard_label: {{weight: 1.0}}, kd: {{weight: 1.0, temperature: 1.0}}}}
teachers:
  - {{name: german, kind: estimator, path: german.skops, trust: true, covers: {{column: lang, values: [de]}}}}
  - name: english
    kind: train
    covers: {{column: lang, values: [en]}}
    student:
      space: encoder
      values: {{vocabulary_size: 1024, length: 64, layers: 0, width: 32, dropout: 0.0}}
    recipe: {{epochs: 8, batch_size: 16, learning_rate: 0.03, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [accuracy, size_bytes]
precisions: [float32, int8]
latency: {{rounds: 6, warmup_runs: 1, min_runs: 6, seconds: 0.01}}
search: {{sampler: random, trials: 2}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write texts, a teacher that was fitted elsewhere, and the config."""
    folder = tmp_path_factory.mktemp("texts")
    raw = texts(400)
    languages = raw.columns["lang"]
    with (folder / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["said", "about", "lang"])
        writer.writerows(zip(raw.inputs, (CLASSES[label] for label in raw.labels), languages, strict=True))
    home = np.flatnonzero(languages == "de")
    german = make_pipeline(TfidfVectorizer(), LogisticRegression())
    german.fit([raw.inputs[row] for row in home], [CLASSES[label] for label in raw.labels[home]])
    skops.io.dump(german, folder / "german.skops")
    (folder / "small.yaml").write_text(CONFIG.format(folder=folder, student=STUDENT))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    with (
        mock.patch("automl.searching.search.Executor", InProcessExecutor),
        mock.patch("automl.searching.search.Tracker") as tracker,
        mock.patch("automl.searching.search.write_report"),
        mock.patch("automl.searching.search._summary") as summary,
    ):
        tracker.return_value.ui_hint.return_value = None
        tracker.return_value.close.return_value = ""
        found = search(folder / "small.yaml")
        (_, prepared), _ = summary.call_args
        yield found
    assert prepared.setting.reading.tokenizer.vocabulary_size <= 1024


@pytest.fixture(scope="module")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("exported") / "student"
    parities = export(run, pick="best", to=to).parities
    assert set(parities) == {"float32", "int8"} and all(parity.holds for parity in parities.values())
    return to


def test_specialists_are_good_at_home_and_the_student_everywhere(run: Run) -> None:
    assert run.count(Outcome.TRAINED) == 2
    by_name = {teacher.name: teacher.metrics for teacher in run.teachers}
    assert all(metrics["home"] > 0.9 > metrics["abroad"] + 0.2 for metrics in by_name.values())
    assert max(member.metrics["test_accuracy"] for member in run.front.members) > 0.85


def test_latency_tells_the_length_that_it_was_measured_at(run: Run) -> None:
    for finished in run.trials:
        lengths = {candidate.latency.length for candidate in finished.result.candidates}
        assert lengths == {finished.trial.spec.values["length"]}
    assert all(member.latency.length == 64 for member in run.front.members)


def test_the_folder_holds_all_that_reading_takes(exported: Path) -> None:
    description = json.loads((exported / "student.json").read_text())
    (tensor,) = description["inputs"]
    assert tensor == {"kind": "tokens", "name": "input_ids", "shape": [None], "dtype": "int64"}
    assert description["tokenizer"]["file"] == "tokenizer.json" and (exported / "tokenizer.json").is_file()
    record = json.loads((exported / "preprocessing.json").read_text())
    assert record["layout"] == "NT" and record["tokenizer"]["padding"] == 0
    card = (exported / "README.md").read_text()
    assert "It takes texts, cut by `tokenizer.json` into at most" in card
    assert f"alone, in 6 rounds, texts of {description['tokenizer']['length']} tokens" in card
    assert "a column of .csv, .tsv or .jsonl" in card


def test_texts_are_predicted_from_any_file_alike(exported: Path, folder: Path, tmp_path: Path) -> None:
    with (folder / "texts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:40]
    (tmp_path / "a.txt").write_text("\n".join(row["said"] for row in rows))
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "a.csv").write_text("lang,said\n" + "\n".join(f"{row['lang']},{row['said']}" for row in rows))
    answers = [predict(exported, tmp_path / f"a{suffix}") for suffix in (".txt", ".jsonl", ".csv")]
    assert [answer.label for answer in answers[0]] == [answer.label for answer in answers[1]]
    assert [answer.label for answer in answers[0]] == [answer.label for answer in answers[2]]
    assert answers[2][3].source == "a.csv#3"
    right = [answer.label == row["about"] for answer, row in zip(answers[0], rows, strict=True)]
    assert np.mean(right) > 0.85


def test_the_example_of_the_card_runs(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    (code,) = card.split("```python\n")[1:]
    code = code.partition("```")[0].replace("one text", "waves salt the ship in a harbour")
    done = subprocess.run([sys.executable, "-c", code], cwd=exported, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "sea"


def test_check_tells_vocabulary_and_what_is_cut(folder: Path) -> None:
    told = list(token_lines(prepare(load_config(folder / "small.yaml"))))
    assert told[0] == "tokenizer: trained on the training texts"
    assert re.fullmatch(
        r"  \d+ tokens, all that the texts give of [\d,]+; half of the training texts have \d+ or fewer, "
        r"95 % \d+ or fewer, the longest has \d+; length 64 cuts 0\.0%",
        told[1],
    )


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("labelled: 0.1}", "labelled: 0.1}\ntokenizer: {vocabulary_size: 300}", r"students may have 1024 tokens"),
        (
            STUDENT,
            "  space: mlp",
            r"student: space 'mlp' cannot build a student: .* reads them",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(written: str, instead: str, message: str, folder: Path) -> None:
    path = folder / "wrong.yaml"
    path.write_text((folder / "small.yaml").read_text().replace(written, instead))
    with pytest.raises(UserError, match=message):
        check(path)
