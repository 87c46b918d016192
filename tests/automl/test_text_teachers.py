"""Teachers of texts in a search: heads that are fitted first, servers that are asked, files of answers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from automl.check.teachers import examine_teachers
from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.asking import ask_endpoints, texts_to_ask
from automl.teaching.fitting_heads import fit_heads
from automl.teaching.loading import load_teachers
from automl.teaching.teach import teach
from teachers import MISSING_LABEL, Coverage
from teachers.loading.sentence_encoder import SentenceEncoder
from tests.teachers import tiny_models as tiny
from tests.teachers.served import Served

CONFIG = """
name: texts
runs: runs
data: {{kind: table, path: texts.csv, label: label, text: text, columns: [language, id], labelled: 0.5}}
student: {{space: encoder, choices: {{layers: 1, width: 32}}}}
recipe: {{epochs: 1, batch_size: 8, learning_rate: 0.01, losses: {{hard_label: {{weight: 1.0}}, kd: {{weight: 1.0}}}}}}
objectives: [accuracy, size_bytes]
search: {{trials: 1}}
teachers:
  - name: mine
    {teacher}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sounds = ("meow", "woof")
    rows = [f"{sounds[k % 2]} {k} sat,{('cat', 'dog')[k % 2]},{('a', 'b')[k // 30]},{k}" for k in range(60)]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label,language,id", *rows]))
    return tmp_path


def write(folder: Path, teacher: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(teacher=teacher.replace("\n", "\n    ")))
    return path


def ready(folder: Path, teacher: str) -> Prepared:
    return prepare(load_config(write(folder, teacher)))


@pytest.fixture
def encoder(folder: Path) -> Iterator[str]:
    words = [*tiny.WORDS[:3], "meow", "woof", *tiny.WORDS[5:]]
    tiny.save(folder / "model", tiny.bert(head=False), words=words)
    yield "kind: sentence_encoder\nmodel: model\ncovers: {column: language, values: [a]}"


def test_a_head_is_fitted_once_on_what_the_teacher_covers_and_each_text_is_read_once(
    folder: Path, encoder: str, in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, said = ready(folder, encoder), []
    executor = in_process()
    heads = fit_heads(prepared, executor, folder / "heads", say=said.append)
    train = prepared.dataset.splits["train"]
    rows = train[prepared.dataset.columns["language"][train] == "a"]
    assert said == [f"fitting the head of mine on {len(rows)} rows"]
    assert executor.submitted == ["embed-mine", "fit-mine"]
    (teacher,) = load_teachers(prepared, heads)
    texts = [prepared.dataset.inputs[row] for row in rows]
    predicted = teacher.model(texts).logits.argmax(dim=1).numpy()
    assert (predicted == prepared.dataset.labels[rows]).mean() > 0.9
    assert fit_heads(prepared, executor, folder / "heads", say=said.append) == heads
    assert len(said) == 1

    def computed(*_: object) -> None:
        raise AssertionError("a text is read again")

    fresh = teacher.model([*texts[:3], "woof woof"]).logits
    with monkeypatch.context() as patch:
        patch.setattr(SentenceEncoder, "_computed", computed)
        np.testing.assert_allclose(teacher.model(texts[:3]).logits, fresh[:3])
        with pytest.raises(AssertionError, match="read again"):
            teacher.model(["woof woof"])


def test_another_seed_other_rows_or_another_encoder_want_another_head(
    folder: Path, encoder: str, in_process: Any
) -> None:
    def place(prepared: Prepared) -> Path:
        return fit_heads(prepared, in_process(), folder / "heads", say=lambda _: None)["mine"]

    prepared = ready(folder, encoder)
    places = [place(prepared)]
    places.append(place(replace(prepared, config=prepared.config.model_copy(update={"seed": 7}))))
    places.append(place(ready(folder, encoder.replace("[a]", "[a, b]"))))
    places.append(place(ready(folder, f"{encoder}\nmax_length: 3")))
    assert len(set(places)) == 4


def test_check_tells_a_head_that_is_still_to_be_fitted_and_judges_one_that_is_there(
    folder: Path, encoder: str, in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = ready(folder, encoder)
    _, examined = examine_teachers(prepared)
    assert examined[0].unfitted
    assert examined[0].metrics == {}
    fit_heads(prepared, in_process(), prepared.config.runs / ".cache" / "teachers", say=lambda _: None)
    _, examined = examine_teachers(prepared)
    assert not examined[0].unfitted
    assert examined[0].metrics["home"] > 0.9


def test_a_server_is_asked_about_what_is_needed_and_its_answers_stand_for_it(
    folder: Path,
    server: Served,
) -> None:
    model = f"kind: endpoint\nurl: {server.url}\nmodel: search\ncovers: {{column: language, values: [a]}}"
    prepared, said = ready(folder, model), []
    (teacher,) = ask_endpoints(prepared, load_teachers(prepared, {}), say=said.append)
    needed = texts_to_ask(prepared.dataset, teacher.coverage)
    assert said == [f"asking mine about {len(needed)} texts"]
    assert len(server.asked("search")) == len(needed)
    rows = [prepared.dataset.inputs.index(text) for text in needed]
    assert teacher.model(needed).logits.argmax(dim=1).tolist() == prepared.dataset.labels[rows].tolist()
    other = ready(folder, model.replace("[a]", "[a, b]"))
    (wider,) = ask_endpoints(other, load_teachers(other, {}), say=said.append)
    assert wider.digest != teacher.digest  # or the cache would take guesses of the first for answers
    assert said[-1].endswith(f", {len(needed)} of them answered before")
    assert (folder / "runs" / ".cache" / "endpoint" / "answers.sqlite").exists()


def test_check_asks_a_server_about_a_few_texts_only(
    folder: Path,
    server: Served,
) -> None:
    prepared = ready(folder, f"kind: endpoint\nurl: {server.url}\nmodel: checked")
    _, examined = examine_teachers(prepared)
    asked = min(8, len(prepared.dataset.splits["validation"]))
    assert len(server.asked("checked")) == examined[0].rows == asked
    assert examined[0].metrics == {"home": 1.0}


def test_texts_that_nobody_hears_a_teacher_on_are_not_asked_about(folder: Path) -> None:
    (folder / "a.jsonl").write_text(json.dumps({"id": 0, "label": "cat"}))
    dataset = ready(folder, "kind: completions\npath: a.jsonl\nby: id").dataset
    texts = set(texts_to_ask(dataset, Coverage(labels=(0,))))
    labels = dataset.student_labels
    train = dataset.splits["train"]
    expected = {dataset.inputs[row] for row in train if labels[row] in (0, MISSING_LABEL)}
    expected |= {dataset.inputs[row] for row in dataset.splits["validation"]}
    assert texts == expected
    assert not texts & {dataset.inputs[row] for row in dataset.splits["test"]}


@pytest.mark.parametrize(
    ("model", "more", "expected"),
    [
        ("gone", "", (UserError, "teachers[0]: http", "status 404")),
        ("failing", "retries: 0", (WorkFailed, "teacher 'mine': http", "failed 1 time, last: status 503: overloaded")),
    ],
)
def test_a_server_that_refuses_is_the_users_and_one_that_fails_is_not(
    folder: Path,
    server: Served,
    model: str,
    more: str,
    expected: Any,
) -> None:
    prepared = ready(folder, f"kind: endpoint\nurl: {server.url}\nmodel: {model}\n{more}")
    with pytest.raises(expected[0]) as told:
        ask_endpoints(prepared, load_teachers(prepared, {}), say=lambda _: None)
    assert expected[1] in str(told.value)
    assert expected[2] in str(told.value)


def test_a_file_of_completions_covers_the_rows_that_it_has_answers_for(folder: Path) -> None:
    lines = [{"id": k, "label": ("cat", "dog")[k % 2]} for k in range(0, 60, 3)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    prepared = ready(folder, "kind: completions\npath: a.jsonl\nby: id\ncovers: {column: language, values: [a]}")
    assert prepared.ensemble is not None
    assert prepared.ensemble.rows_KN[0].nonzero().flatten().tolist() == list(range(0, 30, 3))
    assert prepared.coverages["mine"].column == "answered by mine"
    assert prepared.setting.dataset is prepared.dataset
    (teacher,) = load_teachers(prepared, {})
    found = teacher.model([prepared.dataset.inputs[3], prepared.dataset.inputs[1]]).logits.softmax(dim=1)
    np.testing.assert_allclose(found, [[0.025, 0.975], [0.5, 0.5]], rtol=1e-5)


@pytest.mark.parametrize(
    ("teacher", "place", "expected"),
    [
        ("kind: completions\npath: a.jsonl\nby: id\ncovers: {column: language, values: [b]}",
         "teachers[0]: ", "a.jsonl has no answer for any of the rows that `covers` names"),
        ("kind: completions\npath: a.jsonl\nby: number", "teachers[0]: ", "line 1: expected a text or a whole number"),
        ("kind: completions\npath: b.jsonl", "teachers[0].path: ", "there is nothing at"),
        ("kind: endpoint\nurl: http://a/v1\nmodel: m\napi_key_env: sk-123", "api_key_env: ", "never the key itself"),
        ("kind: endpoint\nurl: http://me:secret@a/v1\nmodel: m", "url: ", "url must hold no user, password or query"),
        ("kind: endpoint\nurl: http://a/v1\nmodel: m\nprompt: What?", "prompt: ", "expected {text}"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_without_secrets(
    folder: Path, teacher: str, place: str, expected: str
) -> None:
    (folder / "a.jsonl").write_text(json.dumps({"id": 0, "label": "cat"}))
    with pytest.raises(UserError) as told:
        ready(folder, teacher)
    assert place in str(told.value)
    assert expected in str(told.value)
    assert "sk-123" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_search_hears_all_kinds_and_says_how_good_they_are(
    folder: Path,
    encoder: str,
    server: Served,
    in_process: Any,
) -> None:
    lines = [{"id": k, "label": ("cat", "dog")[k % 2]} for k in range(0, 60, 2)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    names = ("cat", "dog")
    tiny.save(folder / "classifier", tiny.bert(names=names))
    others = [
        f"  - {{name: asked, kind: endpoint, url: {server.url}, model: whole}}",
        "  - {name: stored, kind: completions, path: a.jsonl, by: id}",
        "  - {name: classifier, kind: transformers, model: classifier}",
    ]
    path = write(folder, encoder)
    path.write_text(path.read_text() + "\n".join(others))
    prepared, said = prepare(load_config(path)), []
    with ExitStack() as leases:
        taught, place = teach(prepared, Mock(), in_process(), leases=leases, say=said.append)
    assert place is not None
    assert place.packed == (0, 1, 2, 3)
    told = {line.split(":")[0]: line for line in said if line.startswith("teacher ")}
    assert "language = a; accuracy 1.000" in told["teacher mine"]
    assert "everything; accuracy 1.000" in told["teacher asked"]
    # Of rows without an answer it knows nothing: a guess between two.
    assert "answered by stored = yes; accuracy 1.000 at home, 0.500 abroad" in told["teacher stored"]
    assert taught.ensemble is not None
