"""Students that see no label learn from teachers; where nothing would teach, it is told before anything runs."""

from pathlib import Path

import pytest

from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import Prepared, prepare
from automl.preparation.teaching_checks import idle_hard_label
from teachers import MISSING_LABEL

CONFIG = """\
name: small
data: {kind: sklearn, name: digits, labelled: 0}
student:
  space: mlp
  values: &v {depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 16}
recipe: {epochs: 2, batch_size: 64, learning_rate: 0.01,
  losses: {kd: {weight: 1.0}}}
teachers:
  - {name: low, kind: train, covers: {labels: [0, 1, 2, 3, 4]}, student: {space: mlp, values: *v}, recipe: &r {
      epochs: 1, batch_size: 32, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}}
  - {name: high, kind: train, covers: {labels: [5, 6, 7, 8, 9]}, student: {space: mlp, values: *v}, recipe: *r}
objectives: [accuracy, size_bytes]
search: {sampler: random, trials: 3}
"""


def prepared_with(folder: Path, *changes: tuple[str, str]) -> Prepared:
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "small.yaml"
    path.write_text(text)
    return prepare(load_config(path))


def test_teachers_alone_can_teach(tmp_path: Path) -> None:
    prepared = prepared_with(tmp_path)
    dataset = prepared.dataset
    assert (dataset.student_labels[dataset.splits["train"]] == MISSING_LABEL).all()
    assert (dataset.labels[dataset.splits["validation"]] != MISSING_LABEL).all()
    assert idle_hard_label(prepared.config, dataset) == ""


TEACHERS = CONFIG[CONFIG.index("teachers:") : CONFIG.index("objectives:")]
KD = "{kd: {weight: 1.0}}"


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (
            [(KD, "{hard_label: {weight: 1.0}}"), (TEACHERS, "")],
            r":2:\d+: data\.labelled",
            "students see, and there are no teachers, so that nothing would be learnt; add teachers and a loss such",
        ),
        (
            [(KD, "{hard_label: {weight: 1.0}, kd: {weight: [0.0, 1.0]}}")],
            r":7:\d+: recipe\.losses",
            "the weights of kd can all be 0, so that nothing would be learnt; give one a weight that is never 0",
        ),
        (
            [(KD, "{hard_label: {weight: 1.0}, kd: {weight: 1.0}}, taking_part: {low: [true, false], high: false}")],
            r":7:\d+: recipe\.taking_part",
            "the search may listen to no teacher, by a weight of 0 or by taking_part",
        ),
        (
            [(KD, "{hard_label: {weight: 1.0}, kd: {weight: 1.0}}, teacher_weights: {low: [0.0, 1.0], high: 0.0}")],
            r":7:\d+: recipe\.teacher_weights",
            "let one teacher always be listened to",
        ),
        ([(KD, f"{KD}, weighting: learnt")], r":7:\d+: recipe\.weighting", "no training row has one; use entropy"),
    ],
)
def test_where_nothing_would_teach_it_is_told(
    tmp_path: Path, changes: list[tuple[str, str]], place: str, message: str
) -> None:
    with pytest.raises(UserError, match=rf"small\.yaml{place}: .*{message}"):
        prepared_with(tmp_path, *changes)


def test_labels_that_nobody_sees_are_noted(tmp_path: Path) -> None:
    both = (KD, "{hard_label: {weight: 1.0}, kd: {weight: 1.0}}")
    prepared = prepared_with(tmp_path, both)
    note = idle_hard_label(prepared.config, prepared.dataset)
    assert note.startswith(f"{tmp_path}/small.yaml:7:12: recipe.losses.hard_label: ")
    assert note.endswith("so that hard_label teaches nothing; remove it")
    seen = prepared_with(tmp_path, both, ("labelled: 0", "labelled: 10"))
    assert idle_hard_label(seen.config, seen.dataset) == ""
