"""Students and trained teachers as teachers: their graph says the logits, their module the features."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automl.config import load_config
from automl.config.teachers import RunTeacher, TrainTeacher
from automl.preparation.prepare import Prepared, prepare
from automl.run import Run
from automl.teaching.student_teachers import StudentModel, load_student_teacher
from automl.teaching.teach import load_teachers
from search_spaces import SPACES, ModelSignature, SearchSpace, TensorSpec
from teachers import LOADERS
from trials.description import describe, description_bytes, load_student
from trials.export import export_onnx
from trials.recipe import LossTerm, Recipe
from trials.student import Student, save_weights


@pytest.fixture(scope="module")
def prepared(small_config: Path) -> Prepared:
    return prepare(load_config(small_config))


@pytest.fixture(scope="module")
def student_folder(small_run: Run) -> Path:
    return next(path.parent for path in sorted(small_run.folder.glob("students/*/student.json")))


@pytest.fixture(scope="module")
def teacher_folder(small_run: Run) -> Path:
    return next(path.parent for path in small_run.folder.parent.glob(".cache/teachers/*/student.json"))


def run_teacher(folder: Path) -> RunTeacher:
    return RunTeacher(kind="run", name="earlier", path=folder, taps={"mine": "body.layers.0"})


def inputs(prepared: Prepared) -> torch.Tensor:
    return torch.from_numpy(prepared.dataset.inputs[:20].copy())


def test_features_and_logits_of_an_earlier_student_are_those_of_its_module(
    prepared: Prepared, student_folder: Path
) -> None:
    loaded = load_student_teacher(student_folder, run_teacher(student_folder), prepared.dataset.inputs)
    module = load_student(student_folder, prepared.space.build)
    graph = LOADERS["onnx"](path=student_folder / "model.onnx")
    assert isinstance(loaded.model, StudentModel)
    assert loaded.digest == graph.digest
    x = inputs(prepared)
    answer = loaded.model(x, ["mine", "last"])
    with torch.no_grad():
        torch.testing.assert_close(answer.logits, module(x), rtol=1e-4, atol=1e-4)
        expected = module.body.layers[0](module.preprocess(x).flatten(1))
    torch.testing.assert_close(answer.features["mine"], expected)
    assert torch.equal(answer.features["last"], answer.features["mine"])
    torch.testing.assert_close(answer.logits, graph.model(x).logits, rtol=1e-4, atol=1e-4)
    assert torch.equal(loaded.model(x).logits, graph.model(x).logits)
    assert loaded.teacher("earlier").feature_id("mine.pooled") == "body.layers.0.pooled"
    again = pickle.loads(pickle.dumps(loaded.model))
    assert torch.equal(again(x, ["mine"]).features["mine"], answer.features["mine"])
    torch.testing.assert_close(loaded.model.module(x), answer.logits, rtol=1e-4, atol=1e-4)


def test_a_teacher_that_was_trained_first_gives_features(prepared: Prepared, teacher_folder: Path) -> None:
    (teacher,) = load_teachers(prepared, {"left": teacher_folder})
    assert isinstance(teacher.model, StudentModel)
    assert teacher.model(inputs(prepared), ["stage1"]).features["stage1"].shape == (20, 32)


@pytest.fixture
def described_as(student_folder: Path, tmp_path: Path) -> Any:
    """Copy the student, with another name for its space."""

    def copy(space: str) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(student_folder, folder)
        description = json.loads((folder / "student.json").read_text())
        description["spec"]["space"] = space
        (folder / "student.json").write_text(json.dumps(description))
        return folder

    return copy


@pytest.mark.parametrize("space", ["own", "gone_space:make", "convnet"])
def test_a_student_of_a_space_that_is_not_known_or_does_not_fit_keeps_its_graph(
    prepared: Prepared, described_as: Any, space: str
) -> None:
    folder = described_as(space)
    loaded = load_student_teacher(folder, run_teacher(folder), prepared.dataset.inputs)
    x = inputs(prepared)
    assert loaded.model(x).logits.shape == (20, 10)
    with pytest.raises(ValueError, match=r"unknown feature 'last'.*give the teacher as factory"):
        loaded.model(x, ["last"])


def test_a_student_of_a_space_with_an_import_name_is_rebuilt(
    prepared: Prepared, described_as: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "space_of_mine.py").write_text("from search_spaces import SPACES\nmake = SPACES['mlp']\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = described_as("space_of_mine:make")
    loaded = load_student_teacher(folder, run_teacher(folder), prepared.dataset.inputs)
    assert "last" in loaded.model(inputs(prepared), ["last"]).features


def test_a_module_that_answers_other_than_its_graph_is_not_used(
    prepared: Prepared, teacher_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(torch.nn.Module):
        def __init__(self, body: torch.nn.Module) -> None:
            super().__init__()
            self.layers, self.head = body.layers, body.head

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.layers[0](x.flatten(1)).neg())

    space = prepared.space
    changed = SearchSpace(name="mlp", choices=(), build=lambda spec, signature: Other(space.build(spec, signature)))
    teacher = prepared.config.teachers[0]
    assert isinstance(teacher, TrainTeacher)
    assert isinstance(load_student_teacher(teacher_folder, teacher, prepared.dataset.inputs).model, StudentModel)
    monkeypatch.setattr("automl.config.student.FixedStudent.make_space", lambda self: changed)
    loaded = load_student_teacher(teacher_folder, teacher, prepared.dataset.inputs)
    assert not isinstance(loaded.model, StudentModel)


def test_features_of_an_earlier_student_are_found_by_their_names(
    tmp_path: Path,
) -> None:
    table, folder = tabular_student(tmp_path)
    names, x = tuple("abcdef"), torch.from_numpy(table)
    straight = load_student_teacher(folder, run_teacher(folder), table, feature_names=names)
    truth = straight.model(x).logits
    order = [5, 2, 0, 1, 4, 3]
    there = np.concatenate([table[:, order], table[:, :1]], axis=1)
    mixed = (*(f" {names[k]}" for k in order), "another")
    moved = load_student_teacher(folder, run_teacher(folder), there, feature_names=mixed)
    assert isinstance(moved.model, StudentModel)
    assert moved.digest != straight.digest
    for model in (moved.model, pickle.loads(pickle.dumps(moved.model))):
        torch.testing.assert_close(model(torch.from_numpy(there)).logits, truth)
        asked = model(torch.from_numpy(there), ["last"])
        torch.testing.assert_close(asked.logits, truth, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(asked.features["last"], straight.model(x, ["last"]).features["last"])
    unnamed = load_student_teacher(folder, run_teacher(folder), table, feature_names=None)
    assert unnamed.digest == straight.digest
    with pytest.raises(ValueError, match=r"features that the data does not have: c; it takes a, b, c, d, e, f,"):
        load_student_teacher(folder, run_teacher(folder), table, feature_names=("a", "b", "k", "d", "e", "f"))


def test_a_graph_alone_finds_its_features_by_their_names_too(tmp_path: Path) -> None:
    table, folder = tabular_student(tmp_path)
    description = json.loads((folder / "student.json").read_text())
    description["spec"]["space"] = "gone"
    (folder / "student.json").write_text(json.dumps(description))
    straight = load_student_teacher(folder, run_teacher(folder), table, feature_names=tuple("abcdef"))
    moved = load_student_teacher(folder, run_teacher(folder), table[:, ::-1].copy(), feature_names=tuple("fedcba"))
    assert not isinstance(moved.model, StudentModel)
    logits = moved.model(torch.from_numpy(table[:, ::-1].copy())).logits
    assert torch.equal(logits, straight.model(torch.from_numpy(table)).logits)


def tabular_student(folder: Path) -> tuple[Any, Path]:
    """Write an untrained student of a table with the columns a to f, as a search keeps it."""
    table = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    signature = ModelSignature(
        inputs=(TensorSpec(name="input", shape=(6,)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
    )
    space = SPACES["mlp"]()
    values = {"depth": 1, "activation": "relu", "normalisation": "none", "shortcut": False, "dropout": 0.0}
    spec = space.spec(values | {"layer1.width": 16})
    student = Student(space.build(spec, signature), signature=signature, statistics=None).eval()
    recipe = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=1, batch_size=8, learning_rate=1e-3)
    description = describe(
        spec,
        signature=signature,
        class_names=("x", "y", "z"),
        statistics=None,
        recipe=recipe,
        seed=0,
        precisions=("float32",),
        feature_names=tuple("abcdef"),
    )
    (folder / "student.json").write_bytes(description_bytes(description))
    (folder / "model.onnx").write_bytes(export_onnx(student, signature))
    (folder / "model.safetensors").write_bytes(save_weights(student))
    return table, folder
