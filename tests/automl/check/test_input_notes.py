from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from automl.check.input_notes import input_notes
from automl.config import load_config
from automl.preparation.prepare import prepare
from teachers import Coverage

LABELS = np.arange(60) % 3


def prepared(folder, labels=LABELS, *, data=None, teachers=()):
    rows = np.random.default_rng(0).normal(size=(len(labels), 2)).astype(np.float32)
    np.savez(folder / "rows.npz", inputs=rows, labels=labels)
    (folder / "rows.csv").write_text(
        "\n".join(["x,y", *(f"{x},{label}" for (x, _), label in zip(rows, labels, strict=True))])
    )
    (folder / "big.onnx").touch()
    losses = {"hard_label": {"weight": 1.0}} | ({"kd": {"weight": 1.0}} if teachers else {})
    config = {
        "name": "small",
        "data": data or {"kind": "npz", "path": "rows.npz"},
        "teachers": list(teachers),
        "student": {"space": "mlp"},
        "recipe": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "losses": losses},
        "objectives": ["accuracy", "size_bytes"],
        "search": {"trials": 1},
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(config))
    return prepare(load_config(folder / "small.yaml"))


@pytest.mark.parametrize(
    ("labels", "data", "remedy"),
    [
        (LABELS - 1, {"kind": "npz", "path": "rows.npz"}, "write `missing_label: -1` into `data`"),
        (LABELS - 1, {"kind": "table", "path": "rows.csv", "label": "y"}, "leave their labels empty"),
    ],
)
def test_a_label_that_may_mean_none_is_noted(tmp_path, labels, data, remedy):
    (note,) = input_notes(prepared(tmp_path, labels, data=data), {})
    assert note == f"label -1 is taken as a class; if it marks rows without a label, {remedy}"


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (LABELS - 1, {"missing_label": -1}),
        (LABELS - 1, {"class_names": ["-1", "0", "1"]}),
        (np.where(LABELS > 0, 1, -1), {}),
        (np.array(["-1", "up", "down"])[LABELS], {}),
        (LABELS, {}),
    ],
)
def test_labels_that_are_classes_are_not_noted(tmp_path, labels, options):
    assert not list(input_notes(prepared(tmp_path, labels, data={"kind": "npz", "path": "rows.npz"} | options), {}))


@pytest.mark.parametrize(
    ("labels", "home", "told"),
    [
        (
            None,
            1 / 3,
            r"teacher 'big' is right in 0.333 of the rows that it covers, and guessing among 3 classes in 0.333",
        ),
        (None, 0.34, None),
        ((0, 2), 0.5, "guessing among 2 classes in 0.500"),
        ((0, 2), 0.6, None),
        ((1,), 1.0, None),
        (None, None, None),
    ],
)
def test_a_teacher_that_guesses_is_noted(tmp_path, labels, home, told):
    search = prepared(tmp_path, teachers=[{"name": "big", "kind": "onnx", "path": "big.onnx"}])
    examined = SimpleNamespace(
        metrics={} if home is None else {"home": home}, teacher=SimpleNamespace(coverage=Coverage(labels=labels))
    )
    notes = list(input_notes(search, {0: examined}))
    assert len(notes) == (told is not None)
    assert told is None or told in notes[0]
