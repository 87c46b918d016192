"""What a teacher covers follows from its own classes, unless the config says otherwise."""

from pathlib import Path

import pytest

from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import prepare
from automl.teaching.loading import load_one
from teachers import Coverage

CONFIG = """\
name: small
data: {kind: sklearn, name: iris}
student:
  space: mlp
  values: {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 16}
recipe: {epochs: 2, batch_size: 64, learning_rate: 0.01, losses: {kd: {weight: 1.0}}}
teachers:
  - {name: own, kind: factory, factory: 'torch.nn:Linear', options: {in_features: 4, out_features: 4}, classes: CLASSES}
objectives: [accuracy, size_bytes]
"""


def coverage(folder: Path, classes: str) -> Coverage:
    path = folder / "small.yaml"
    path.write_text(CONFIG.replace("CLASSES", classes))
    prepared = prepare(load_config(path))
    teacher = load_one(prepared, 0)
    inputs = prepared.dataset.batch(prepared.dataset.splits["train"][:3]).inputs
    assert teacher.model(inputs).logits.shape == (3, len(teacher.coverage.labels or range(3)))
    return teacher.coverage


def test_a_teacher_of_more_classes_covers_those_of_the_data(tmp_path: Path) -> None:
    assert coverage(tmp_path, "[rose, virginica, setosa, versicolor]") == Coverage()
    assert coverage(tmp_path, "[rose, virginica, setosa, lily]") == Coverage(labels=(0, 2))
    assert coverage(tmp_path, "[rose, virginica, setosa, lily], covers: {labels: [2]}") == Coverage(labels=(2,))


def test_a_teacher_of_other_classes_alone_is_told(tmp_path: Path) -> None:
    message = r"teachers\[0\]\.covers: none of its classes \(rose, lily, tulip, 4\) is one of the data"
    with pytest.raises(UserError, match=rf"small\.yaml:\d+:\d+: {message}"):
        coverage(tmp_path, "[rose, lily, tulip, 4]")
