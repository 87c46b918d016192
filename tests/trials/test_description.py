import json

import pytest
import torch
from torch import nn

from search_spaces import ModelSignature, StudentSpec, TensorSpec
from trials.description import (
    describe,
    description_bytes,
    load_student,
    parse_signature,
    parse_spec,
    parse_statistics,
    read_description,
)
from trials.recipe import LossTerm, Recipe
from trials.records import student_digest
from trials.student import Normalisation, Student, save_weights

SPEC = StudentSpec(space="mlp", values={"depth": 1, "width": 4, "act": "relu"})
SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="row", shape=(3,)),), outputs=(TensorSpec(name="logits", shape=(2,)),)
)
STATISTICS = Normalisation(mean=(0.1, 2.0, -3.5), std=(1.0, 0.3, 7.0), value_range=(-4.0, 9.0))
RECIPE = Recipe(
    losses=(LossTerm(name="kd", weight=0.7, options={"temperature": 4.0}),), epochs=2, batch_size=8, learning_rate=1e-3
)


def build(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    width = int(spec.values["width"])
    return nn.Sequential(
        nn.Linear(signature.sole_input_shape[0], width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 2)
    )


def make_description(**changes) -> dict[str, object]:
    arguments = {
        "signature": SIGNATURE,
        "class_names": ("cat", "dög"),
        "statistics": STATISTICS,
        "recipe": RECIPE,
        "seed": 5,
        "precisions": ("float32", "int8"),
        "metrics": {"float32": {"accuracy": 0.9, "accuracy.dög": float("nan")}},
    }
    return describe(SPEC, **(arguments | changes))


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(0)
    student = Student(build(SPEC, SIGNATURE), signature=SIGNATURE, statistics=STATISTICS)
    student(torch.randn(16, 3))  # Moves the batch norm's statistics.
    (tmp_path / "student.json").write_bytes(description_bytes(make_description()))
    (tmp_path / "model.safetensors").write_bytes(save_weights(student))
    return tmp_path, student.eval()


def test_all_that_builds_a_student_comes_back_equal(exported):
    description = read_description(exported[0])
    assert parse_spec(description) == SPEC
    assert parse_signature(description) == SIGNATURE
    assert parse_statistics(description) == STATISTICS


@pytest.mark.parametrize("names", [None, ("länge", "breite", "höhe")])
def test_names_of_features_are_told_in_their_order(names):
    described = json.loads(description_bytes(make_description(feature_names=names)))["feature_names"]
    assert described == (None if names is None else list(names))


def test_signatures_of_tokens_come_back_equal():
    signature = ModelSignature(
        inputs=(TensorSpec(name="ids", shape=(None,), dtype="int64"),),
        outputs=(TensorSpec(name="logits", shape=(None, 9)),),
        vocabulary_size=9,
    )
    description = json.loads(description_bytes(make_description(signature=signature, statistics=None)))
    assert parse_signature(description) == signature
    assert parse_statistics(description) is None
    assert description["inputs"][0]["kind"] == "tokens"


def test_description_says_what_predict_needs():
    description = json.loads(description_bytes(make_description()))
    assert description["inputs"] == [{"kind": "vector", "name": "row", "shape": [3], "dtype": "float32"}]
    assert description["class_names"] == ["cat", "dög"]
    assert description["graphs"] == {"float32": "model.onnx", "int8": "model.int8.onnx"}
    assert description["digest"] == student_digest(SPEC, RECIPE, 5)


def test_metrics_that_are_no_numbers_are_left_out():
    assert make_description()["metrics"] == {"float32": {"accuracy": 0.9}}


def test_equal_students_have_equal_descriptions():
    assert description_bytes(make_description()) == description_bytes(make_description())


def test_a_loaded_student_answers_as_the_exported_one(exported):
    folder, student = exported
    rows = torch.randn(4, 3)
    loaded = load_student(folder, build)
    assert not loaded.training
    assert torch.equal(loaded(rows), student(rows))


def test_unknown_precisions_are_refused():
    with pytest.raises(ValueError, match=r"unknown precisions int4; known are float32, int8"):
        make_description(precisions=("int4",))


def test_folders_without_a_readable_student_are_refused(exported, tmp_path_factory):
    with pytest.raises(ValueError, match=r"student.json is missing; make one with automl export"):
        read_description(tmp_path_factory.mktemp("empty"))
    folder = exported[0]
    path = folder / "student.json"
    good = json.loads(path.read_text())
    for content, message in (
        ("{", "not readable JSON"),
        ("[]", "does not describe a student"),
        (json.dumps(good | {"format": "other"}), "does not describe a student"),
        (json.dumps(good | {"version": 99}), "has version 99, this program reads version 1"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            read_description(folder)


@pytest.mark.parametrize("missing", ["spec", "inputs", "normalisation"])
def test_an_incomplete_description_is_refused(exported, missing):
    path = exported[0] / "student.json"
    description = json.loads(path.read_text())
    del description[missing]
    path.write_text(json.dumps(description))
    with pytest.raises(ValueError, match="is incomplete"):
        load_student(exported[0], build)


def test_missing_weights_are_named(exported):
    (exported[0] / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has no model.safetensors; export the student again"):
        load_student(exported[0], build)
