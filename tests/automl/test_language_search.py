"""A search for a language model over two kinds of text, from a table to what is written, with a teacher for each."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from automl.check import check
from automl.errors import UserError
from automl.export import export
from automl.predicting.predict import texts_after
from automl.run import Run
from automl.searching.search import search
from tests.automl.conftest import InProcessExecutor
from trials.records import Outcome

VALUES = """{length: 24, layers: 1, width: 32, dropout: 0.0, embedding: 1.0, tied: true, positions: rotary,
        norm: rms, feedforward: 2, feedforward.kind: gelu, heads: 2, heads2.kv_heads: 1}"""
"""Of teachers and students alike, so that their graphs are traced once."""

TEACHER = f"""
    student:
      space: decoder
      options: {{lengths: [24]}}
      values: {VALUES}
    recipe: {{epochs: 6, batch_size: 8, learning_rate: 0.02, losses: {{hard_label: {{weight: 1.0}}}}}}"""
CONFIG = """
name: words
runs: {folder}/runs
data: {{kind: table, path: texts.csv, text: said, columns: [kind]}}
task: {{kind: language_modelling, length: 24}}
tokenizer: {{vocabulary_size: 300}}
student:
  space: decoder
  options: {{lengths: [24]}}
  values: {values}
recipe:
  epochs: 4
  batch_size: 8
  learning_rate: [0.02, 0.01]
  losses: {{hard_label: {{weight: 0.5}}, {loss}: {{weight: 1.0}}}}
teachers:
  - name: counting
    kind: train
    covers: {{column: kind, values: [counting]}}{teacher}
  - name: cats
    kind: train
    covers: {{column: kind, values: [cats]}}{teacher}
sequences: {{prompts: 6, prompt: 4, samples: 2, max_new_tokens: 8, score: reference}}
objectives: [bits_per_byte, latency_ms]
precisions: [float32, int8]
latency: {{warmup_runs: 1, min_runs: 6, seconds: 0.01}}
search: {{sampler: random, trials: 2}}
"""


def write(folder: Path, *, loss: str = "forward_kl", more: str = "") -> Path:
    chance = np.random.default_rng(0)
    rows = [(f"{n} and {n + 1} and {n + 2} make {3 * n + 3}", "counting") for n in chance.integers(10, 99, 60)]
    rows += [(f"the {c} cat sees the {d} cat", "cats") for c, d in chance.choice(["old", "red", "big"], (60, 2))]
    with (folder / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["said", "kind"])
        writer.writerows(rows)
    path = folder / "words.yaml"
    path.write_text(CONFIG.format(folder=folder, teacher=TEACHER, values=VALUES, loss=loss) + more)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with (
        mock.patch("automl.searching.search.Executor", InProcessExecutor),
        mock.patch("automl.searching.search.Tracker") as tracker,
        mock.patch("automl.searching.search.write_report"),
        mock.patch("automl.searching.search._summary"),
    ):
        tracker.return_value.ui_hint.return_value = None
        tracker.return_value.close.return_value = ""
        yield search(write(tmp_path_factory.mktemp("language")))


@pytest.fixture(scope="module")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("exported") / "student"
    parities = export(run, pick="best", to=to).parities
    assert set(parities) == {"float32", "int8"} and all(parity.holds for parity in parities.values())
    return to


def test_teachers_are_good_at_home_and_the_student_everywhere(run: Run) -> None:
    assert run.count(Outcome.TRAINED) == 2
    assert run.primary_metric == "bits_per_byte" and not run.primary_higher_is_better
    for teacher in run.teachers:
        assert teacher.metric == "bits_per_byte"
        assert teacher.metrics["home"] + 0.3 < teacher.metrics["abroad"]
    best = min(member.metrics["bits_per_byte"] for member in run.front.members)
    assert best < 3.5
    assert all({"test_bits_per_byte", "test_bits_per_byte.kind=cats"} <= m.metrics.keys() for m in run.front.members)


def test_latency_is_that_of_a_token_with_the_first_one_beside(run: Run) -> None:
    for member in run.front.members:
        assert member.latency.length == 24 and member.metrics["latency_ms"] > 0
        assert member.metrics["first_token_ms"] > 0


def test_the_first_token_of_members_is_measured_alone(run: Run) -> None:
    for member in run.front.members:
        assert not member.latency.provisional
        assert member.metrics["first_token_ms"] == member.latency.first_token_ms
        (trial,) = (each for each in run.trials if each.trial.number == member.trial)
        (before,) = (each for each in trial.result.candidates if each.precision == member.precision)
        assert before.latency.provisional
        assert before.metrics["first_token_ms"] == before.latency.first_token_ms != member.latency.first_token_ms


def test_what_is_written_is_judged(run: Run) -> None:
    for member in run.front.members:
        assert 0 <= member.metrics["test_written_chrf"] <= 1


def test_an_exported_student_writes_without_torch(exported: Path) -> None:
    prompts = exported.parent / "prompts.txt"
    prompts.write_text("the old cat\n10 and\n")
    written = texts_after(exported, prompts)
    assert written is not None and written.startswith("prompts.txt#0\nthe old cat|")
    code = (
        "import sys; from automl.cli import main; "
        f"main(['predict', {str(exported)!r}, {str(prompts)!r}]); sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stdout.strip()) == (0, written), done.stderr


def test_the_card_says_what_it_is(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    assert "| written_chrf | - |" in card and "The first token after a prompt of as many takes: " in card
    assert "first_token_ms" not in card
    assert "says which token comes next" in card
    assert "`model.onnx`: ONNX graph in float32, token ids, and keys and values of those before, in" in card
    assert not (exported / "generate.onnx").exists()


def test_the_lines_of_the_card_run_as_they_stand(exported: Path) -> None:
    code = (exported / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=exported)
    assert done.returncode == 0, done.stderr


def test_mlflow_keeps_a_graph_that_writes(run: Run) -> None:
    import mlflow

    from automl.tracking.models import _nothing_before, _signature

    graph = (run.folder / "students" / run.front.members[0].digest / "model.onnx").read_bytes()
    example = {"input_ids": np.ones((2, 24), dtype=np.int64)}
    past = _nothing_before(graph, example)
    found = _signature(graph, example, past)
    assert isinstance(found, mlflow.models.ModelSignature)
    shapes = {each.name: each.shape for each in found.inputs.inputs}
    assert shapes == {"input_ids": (-1, -1), "past_key_0": (-1, 1, -1, 16), "past_value_0": (-1, 1, -1, 16)}
    assert found.outputs.inputs[0].shape == (-1, -1, 300)


def test_check_tells_of_tokens(tmp_path: Path) -> None:
    with mock.patch("automl.searching.search.Executor", InProcessExecutor):
        said = str(check(write(tmp_path)).__rich__())
    assert "120 documents, packed into rows of 24 tokens; rows: " in said
    assert "a vocabulary of 300 tokens" in said
    assert "to be trained" in said


@pytest.mark.parametrize(
    ("loss", "more", "message"),
    [
        ("kd", "", "language models are taught at temperature 1, got 4 for kd"),
        ("reverse_kl", "cache: {sampled: 20}\n", "cache.sampled draws classes from predictions"),
        ("forward_kl", "cache: {sampled: 20, top_k: 3}\n", "expected either top_k"),
    ],
)
def test_what_cannot_teach_tokens_is_told_with_its_place(tmp_path: Path, loss: str, more: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(write(tmp_path, loss=loss, more=more))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "length: 24}\ntok",
            "length: 32}\ntok",
            "rows have 32 tokens, as task.length says, and students may have a length",
        ),
        ("kind: language_modelling, length: 24", "kind: classification", "classification needs a label"),
        ("score: reference", "score: best", "unknown scorer 'best'"),
        ("prompt: 4", "prompt: 20", "prompt and max_new_tokens together are 28 tokens, and models read 24"),
    ],
)
def test_sections_that_do_not_fit_are_told(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = write(tmp_path)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(UserError, match=message):
        check(path)
