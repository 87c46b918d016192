"""Students and trained teachers as teachers: their graph says the logits, their module the features."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from automl.config import load_config
from automl.config.teachers import RunTeacher, TrainTeacher
from automl.preparation import Prepared, prepare
from automl.run import Run
from automl.student_teachers import StudentModel, load_student_teacher
from automl.teaching import load_teachers
from search_spaces import SearchSpace
from teachers import LOADERS
from trials.description import load_student


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
