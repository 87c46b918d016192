"""Teachers of which a language model hears texts alone, and such as read other tokens, in a search."""

import csv
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from automl.check.losses import require_losses
from automl.check.teachers import examine_teachers, foresee, stand_ins
from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.teach import teach
from search_spaces import sample
from tests.teachers import tiny_models as tiny
from tests.teachers.served import Served
from trials.tasks import LanguageModelling

CONFIG = """
name: words
runs: runs
data: {{kind: table, path: texts.csv, text: said}}
task: {{kind: language_modelling, length: 16}}
tokenizer: {{vocabulary_size: 280}}
student: {{space: decoder, options: {{lengths: [16]}}, choices: {{layers: 1, width: 32}}}}
recipe:
  {recipe}
  epochs: 1
  batch_size: 8
  learning_rate: 0.01
teachers: [{teachers}]
{sequences}
objectives: [bits_per_byte, size_bytes]
search: {{trials: 1}}
"""
SEQUENCES = "sequences: {prompts: 4, prompt: 3, samples: 2, max_new_tokens: 8, score: reference}"
LABELS = "losses: {hard_label: {weight: 1.0}}"
BOTH = "losses: {hard_label: {weight: 1.0}, forward_kl: {weight: 1.0}}"
SORTED = "losses: {hard_label: {weight: 1.0}, uld: {weight: 1.5}}"
STORED = "{name: stored, kind: completions, path: answers.jsonl}"
STRANGER = "{name: stranger, kind: transformers, model: gpt2}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    chance = np.random.default_rng(0)
    with (tmp_path / "texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["said"], *([" ".join(chance.choice(tiny.WORDS, 9))] for _ in range(60))])
    answers = [{"prompt": word, "completion": f"{word} again"} for word in tiny.WORDS]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    return tmp_path


def ready(folder: Path, teachers: str, *, recipe: str = LABELS, sequences: str = SEQUENCES) -> Prepared:
    path = folder / "words.yaml"
    path.write_text(CONFIG.format(teachers=teachers, recipe=recipe.replace("\n", "\n  "), sequences=sequences))
    return prepare(load_config(path))


def taught(prepared: Prepared, executor: Any) -> tuple[Prepared, Any, list[str]]:
    said: list[str] = []
    with ExitStack() as leases:
        return *teach(prepared, Mock(), executor, leases=leases, say=said.append), said


def asked_of(server: Served, model: str = "whole") -> str:
    return f"{{name: asked, kind: endpoint, url: '{server.url}', model: {model}, retries: 0}}"


def test_what_a_server_writes_is_learnt_and_nothing_else_is_asked_of_it(
    folder: Path, server: Served, in_process: Any
) -> None:
    prepared = ready(folder, asked_of(server))
    _, examined = examine_teachers(prepared)
    assert examined[0].metrics == {}
    assert "writes" in examined[0].unjudged
    plan, _ = foresee(prepared, stand_ins(prepared, {}, examined), examined)
    assert plan.outputs == () and plan.num_bytes == 0
    more, place, said = taught(prepared, in_process())
    assert len(more.dataset) > len(prepared.dataset)
    assert "teacher asked: everything; it writes, and tells no probabilities of tokens" in said
    assert place.mute == (0,)
    assert len(server.asked("whole")) == 4


def test_one_that_writes_and_one_that_is_heard_go_together(folder: Path, server: Served, in_process: Any) -> None:
    tiny.byte_gpt2(folder / "gpt2")
    recipe = f"{BOTH}\ntaking_part: {{asked: false}}"
    own = (
        "{name: own, kind: train, student: {space: decoder, options: {lengths: [16]}, values: {length: 16, layers: 1, "
    )
    own += "width: 16, dropout: 0.0, embedding: 1.0, tied: true, positions: rotary, norm: rms, feedforward: 1, "
    own += "feedforward.kind: gelu, heads: 1}}, recipe: {epochs: 1, batch_size: 8, learning_rate: 0.01, "
    own += "losses: {hard_label: {weight: 1.0}}}}"
    prepared, place, said = taught(ready(folder, f"{asked_of(server)}, {own}", recipe=recipe), in_process())
    assert place.packed == (1,)
    told = {line.split(":")[0]: line for line in said if line.startswith("teacher ")}
    assert "everything; bits a byte " in told["teacher own"]
    trial = prepared.trial(0, sample(prepared.choices, np.random.default_rng(0)))
    outputs = place.open(prepared.dataset)
    lesson = replace(prepared.setting, teachers=outputs).lesson(trial)
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:2])
    heard = lesson.hear_tokens(batch, ())
    assert heard is not None
    assert heard.entire().logits.shape == (1, 2, 16, prepared.dataset.num_classes)


def test_a_teacher_of_other_tokens_is_heard_by_sorted_probabilities_and_not_judged(
    folder: Path, in_process: Any
) -> None:
    tiny.byte_gpt2(folder / "gpt2")
    prepared = ready(folder, STRANGER, recipe=SORTED, sequences="")
    require_losses(prepared)
    assert isinstance(prepared.task, LanguageModelling)
    _, place, said = taught(prepared, in_process())
    assert place.packed == (0,)
    assert "teacher stranger: everything; it reads other tokens than the data's" in said


@pytest.mark.parametrize(
    ("recipe", "sequences", "expected"),
    [
        (BOTH, SEQUENCES,
         ":9:39: recipe.losses.forward_kl: stored writes texts and tells no probabilities of all tokens, which "
         "forward_kl compares; remove it: students learn from the texts all the same"),
        (SORTED, SEQUENCES, "recipe.losses.uld: stored writes texts"),
        (f"{BOTH}\ntaking_part: {{stored: [true, false]}}", SEQUENCES, "recipe.losses.forward_kl: stored writes"),
        (LABELS, "", ": teachers: no loss listens to them; add one to recipe.losses"),
    ],
)  # fmt: skip
def test_what_nobody_can_hear_is_told_at_the_loss(folder: Path, recipe: str, sequences: str, expected: str) -> None:
    with pytest.raises(UserError) as told:
        ready(folder, STORED, recipe=recipe, sequences=sequences)
    assert expected in str(told.value)


def test_one_that_only_writes_wants_to_be_asked_for_texts(folder: Path) -> None:
    with pytest.raises(UserError) as told:
        ready(folder, f"{STRANGER}, {STORED}", recipe=SORTED)
    assert "write `taking_part: {stored: false}` into the recipe: students learn" in str(told.value)
    with pytest.raises(UserError) as told:
        ready(folder, f"{STRANGER}, {STORED}", recipe=f"{SORTED}\ntaking_part: {{stored: false}}", sequences="")
    assert (
        "teachers[1]: a language model hears nothing but texts of a teacher of kind completions, and nobody asks for "
        "texts; add a section sequences, such as `sequences: {prompts: 256}`"
    ) in str(told.value)


def test_losses_on_logits_of_other_tokens_are_told_before_the_model_is_read(folder: Path) -> None:
    (tiny.byte_gpt2(folder / "gpt2") / "config.json").write_text("{}")
    with pytest.raises(UserError) as told:
        require_losses(ready(folder, STRANGER, recipe=BOTH, sequences=""))
    assert str(told.value).partition("words.yaml")[2] == (
        ":9:39: recipe.losses.forward_kl: stranger cuts texts into other tokens than the data, so that "
        "forward_kl has nothing to compare; use uld in its place, or let students learn from texts that teachers write "
        "(see sequences), or give the teacher's tokenizer as tokenizer.path"
    )


def test_a_server_that_fails_is_not_the_users_mistake(folder: Path, server: Served, in_process: Any) -> None:
    with pytest.raises(WorkFailed, match=r"teacher 'asked': .*failed 1 time, last: status 503"):
        taught(ready(folder, asked_of(server, "failing")), in_process())
