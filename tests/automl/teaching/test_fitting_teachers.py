"""Teachers that are to be trained, held against the data before they are."""

from pathlib import Path

import pytest

from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import prepare
from automl.teaching.schooling import schooling

CONFIG = """
name: words
runs: runs
data: {{kind: table, path: texts.csv, text: said, label: kind}}
task: {task}
tokenizer: {{vocabulary_size: 300}}
student: {student}
recipe: {{epochs: 1, batch_size: 8, learning_rate: 0.01, losses: {{forward_kl: {{weight: 1}}}}}}
teachers:
  - name: first
    kind: train
    student: {teacher}
    recipe: {{epochs: 1, batch_size: 8, learning_rate: 0.01, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [size_bytes]
search: {{trials: 1}}
"""
LANGUAGE = "{kind: language_modelling, length: 16}"
DECODER = (
    "{space: decoder, options: {lengths: [8, 16]}, values: {length: LENGTH, layers: 1, width: 16, dropout: 0.0, "
    "embedding: 1.0, tied: true, positions: learnt, norm: rms, feedforward: 1, feedforward.kind: gelu, heads: 1}}"
)
MLP = (
    "{space: mlp, values: {depth: 1, activation: relu, normalisation: none, shortcut: false, dropout: 0.0, "
    "layer1.width: 8}}"
)


@pytest.mark.parametrize(
    ("task", "student", "teacher", "expected"),
    [
        (LANGUAGE, DECODER.replace("LENGTH", "16"), DECODER.replace("LENGTH", "8"),
         "teachers[0].student.values.length: rows have 16 tokens, as task.length says, and this teacher reads 8; let "
         "it be 16 or more"),
        (LANGUAGE, DECODER.replace("LENGTH", "16"), MLP,
         "teachers[0].student: space 'mlp' cannot build this teacher: this space takes images or vectors, and texts"),
        ("{}", "{space: encoder, options: {vocabulary_sizes: null}}", DECODER.replace("LENGTH", "8"),
         "a decoder gives logits (tokens, 293), and logits (2) is asked for; use encoder"),
    ],
)  # fmt: skip
def test_one_that_cannot_read_the_data_is_told_at_its_place(
    tmp_path: Path, task: str, student: str, teacher: str, expected: str
) -> None:
    rows = [f"the {n} cats say so,{('a', 'b')[n % 2]}" for n in range(40)]
    (tmp_path / "texts.csv").write_text("\n".join(["said,kind", *rows]))
    path = tmp_path / "words.yaml"
    path.write_text(CONFIG.format(task=task, student=student, teacher=teacher))
    prepared = prepare(load_config(path))
    with pytest.raises(UserError) as told:
        schooling(prepared, 0)
    assert expected in str(told.value)
