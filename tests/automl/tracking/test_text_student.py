"""A student of texts in MLflow: a model that takes texts, without pickle and without this program."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automl.run import Run
from automl.tracking import Summary, Tracker
from automl.tracking.models import model_file
from tests.trials.text_trials import CLASSES, SPEC, build_bag, text_setting
from trials.description import DESCRIPTION_FILE, TOKENIZER_FILE
from trials.export import export_onnx, onnx_predictor

TEXTS = ["waves and salt", "", "der alte Turm am Markt, bei der Brücke"]


@pytest.fixture
def member_folder(run: Run) -> Path:
    """Write the files of the first member of the front: a student of texts."""
    setting = text_setting()
    signature, reading = setting.signature_of(SPEC), setting.reading_of(SPEC)
    assert reading is not None
    file = model_file(run.folder, run.front.members[0])
    file.parent.mkdir(parents=True)
    file.write_bytes(export_onnx(build_bag(SPEC, signature), signature))
    (file.parent / TOKENIZER_FILE).write_text(reading.tokenizer.definition)
    description = {"class_names": list(CLASSES), "tokenizer": {"length": reading.length, "padding": 0}}
    (file.parent / DESCRIPTION_FILE).write_text(json.dumps(description))
    return file.parent


def test_a_student_of_texts_loads_back_as_a_model_that_takes_texts(
    run: Run, start: Callable[..., Tracker], store: Any, member_folder: Path
) -> None:
    import mlflow

    member = run.front.members[0]
    tracker = start()
    tracker.finish(Summary(run=replace(run, front=replace(run.front, members=(member,))), example=TEXTS))
    assert str(tracker.close(seconds=60)) == ""
    experiment = store.experiment()
    (model,) = experiment.client.search_logged_models([experiment.id])
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    assert [str(kind) for kind in loaded.metadata.signature.inputs.input_types()] == ["DataType.string"]
    assert loaded.metadata.saved_input_example_info is not None
    answers = loaded.predict(TEXTS)
    reading = text_setting().reading_of(SPEC)
    assert reading is not None
    ids = torch.from_numpy(reading.tokenizer.encode(TEXTS, length=reading.length))
    logits = onnx_predictor(model_file(run.folder, member).read_bytes())(ids)
    assert answers["label"].tolist() == [CLASSES[label] for label in logits.argmax(axis=1)]
    expected = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose(answers["probability"], expected, rtol=1e-5)
    files = [path.name for path in (run.folder / "mlartifacts").rglob("*") if path.is_file()]
    assert not [name for name in files if Path(name).suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}]
