"""Teachers made ready: trained on what they cover, asked about every row once, judged."""

import errno
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.nodes import CachePlace
from automl.preparation import Prepared, prepare
from automl.schooling import home, schooling
from automl.teaching import describe_coverage, fill_cache, load_teachers, train_teachers
from teachers import Coverage, Outputs, OutputStore, Teacher
from trials.records import Artefacts, Outcome, TrialResult


@dataclass(frozen=True)
class Model:
    """A teacher that knows the answer to every image, since it counts its ink."""

    width: int = 10
    error: Exception | None = None

    def __call__(self, inputs: Any) -> Outputs:
        if self.error is not None:
            raise self.error
        ink_B = torch.as_tensor(inputs).float().flatten(1).sum(dim=1)
        return Outputs(logits=torch.stack([ink_B * k for k in range(self.width)], dim=1) / 1000)


def teacher(model: Model = Model(), coverage: Coverage = Coverage()) -> Teacher:  # noqa: B008 - both are frozen
    return Teacher(name="left", model=model, coverage=coverage, digest=f"{model.width:064d}")


@pytest.fixture(scope="module")
def prepared(small_config: Path) -> Prepared:
    return prepare(load_config(small_config))


@pytest.fixture
def fill(prepared: Prepared, tmp_path: Path, in_process: Any) -> Callable[..., Any]:
    def go(*teachers: Teacher) -> Any:
        executor = in_process()
        with ExitStack() as leases:
            store = OutputStore(tmp_path, limit_bytes=10**9)
            return executor, store, *fill_cache(prepared, list(teachers), executor, store, leases)

    return go


def test_a_teacher_is_trained_on_its_home_with_every_label_visible(prepared: Prepared) -> None:
    dataset = prepared.dataset
    assert dataset.labelled is not None
    lessons = home(dataset, Coverage(labels=(1, 2), column="slant", values=("left",)))
    rows = lessons.splits["train"]
    assert lessons.labelled is None
    assert set(dataset.labels[rows]) == {1, 2}
    assert set(dataset.columns["slant"][rows].astype(str)) == {"left"}
    assert set(rows) < set(dataset.splits["train"])
    assert (lessons.splits["test"] == dataset.splits["test"]).all()


def test_a_home_without_rows_is_told(prepared: Prepared) -> None:
    test_only = Coverage(column="row", values=("5",))
    columns = {"row": np.where(np.arange(len(prepared.dataset)) == prepared.dataset.splits["test"][0], 5, 0)}
    dataset = type(prepared.dataset)(**{**vars(prepared.dataset), "columns": columns})
    with pytest.raises(ValueError, match="no training row is covered"):
        home(dataset, test_only)


def test_what_a_trained_teacher_depends_on_names_its_folder(prepared: Prepared) -> None:
    lesson = schooling(prepared, 0)
    assert lesson.folder_name() == schooling(prepared, 0).folder_name()
    seeded = Prepared(**{**vars(prepared), "config": prepared.config.model_copy(update={"seed": 99})})
    assert schooling(seeded, 0).folder_name() != lesson.folder_name()
    fewer = Prepared(**{**vars(prepared), "coverages": {"left": Coverage(labels=(1,))}})
    assert schooling(fewer, 0).folder_name() != lesson.folder_name()


class Trained:
    """An executor that trains nobody."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.submitted: list[str] = []

    def submit(self, function: Any, trial: Any, setting: Any, *, name: str, **_: Any) -> Any:
        self.submitted.append(name)
        assert setting.limits == ()
        error = "" if self.outcome is Outcome.TRAINED else "Traceback\nRuntimeError: diverged"
        result = TrialResult(number=trial.number, digest=trial.digest, outcome=self.outcome, error=error)
        return result, Artefacts(files={"graph": b"0"})

    def run_all(self, tasks: list[Any]) -> list[Any]:
        return tasks


def test_a_teacher_is_trained_once_for_all_searches(prepared: Prepared, tmp_path: Path) -> None:
    first, second = Trained(Outcome.TRAINED), Trained(Outcome.TRAINED)
    folders = train_teachers(prepared, first, tmp_path)  # type: ignore[arg-type]
    assert first.submitted == ["left"]
    assert (folders["left"] / "graph").read_bytes() == b"0"
    assert train_teachers(prepared, second, tmp_path) == folders  # type: ignore[arg-type]
    assert second.submitted == []


def test_a_teacher_whose_training_fails_leaves_nothing_and_ends_the_search(prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match=r"training teacher 'left' failed:\nTraceback\nRuntimeError: diverged"):
        train_teachers(prepared, Trained(Outcome.FAILED), tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_every_row_is_asked_about_once(fill: Callable[..., Any], prepared: Prepared) -> None:
    executor, store, key, (record,), computed = fill(teacher())
    assert computed == len(executor.submitted) > 0
    assert record.covers == "everything"
    assert set(record.metrics) == {"home"}
    assert set(record.by_label) == set(prepared.dataset.class_names)
    assert set(record.by_column) == {"left", "upright", "right"}
    answers = CachePlace(folder=store.folder, key=key, content=None).open()
    rows = prepared.dataset.splits["train"][:5]
    batch = prepared.dataset.batch(rows)
    assert torch.allclose(answers(batch).logits[0], Model()(batch.inputs).logits, rtol=1e-3)

    executor, _, again, _, computed = fill(teacher())
    assert (executor.submitted, again, computed) == ([], key, 0)


def test_a_machine_without_the_answers_fetches_them(
    fill: Callable[..., Any], prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, store, key, _, _ = fill(teacher())
    assert CachePlace.of(store, key, executor).content is None  # There is one machine only.
    executor.num_nodes = 2
    place = CachePlace.of(store, key, executor)
    monkeypatch.setattr("automl.nodes.resolve", lambda reference: reference)
    elsewhere = CachePlace(folder=tmp_path / "elsewhere", key=key, content=place.content)
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:5])
    for _ in range(2):  # The second time from its own disk.
        assert torch.equal(elsewhere.open()(batch).logits, place.open()(batch).logits)
    (file,) = [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    file.write_bytes(file.read_bytes()[:-10])  # Torn.
    assert torch.equal(elsewhere.open()(batch).logits, place.open()(batch).logits)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            teacher(Model(width=7)),
            r"teacher 'left' gave 7 columns of logits, expected 10; set the labels that it covers",
        ),
        (
            teacher(Model(width=3), Coverage(labels=(1, 2))),
            r"gave 3 columns of logits, expected 10 \(all classes\) or 2",
        ),
        (teacher(Model(error=RuntimeError("mat1 and mat2"))), r"cannot answer about the data: RuntimeError: mat1 and"),
    ],
)
def test_answers_that_do_not_fit_are_told_with_the_teacher_s_place(
    fill: Callable[..., Any], made: Teacher, message: str
) -> None:
    with pytest.raises(UserError, match=rf"small\.yaml:\d+:\d+: teachers\[0\]: .*{message}"):
        fill(made)


def test_a_full_disk_is_not_a_teacher_s_fault(fill: Callable[..., Any]) -> None:
    with pytest.raises(OSError, match="No space left"):
        fill(teacher(Model(error=OSError(errno.ENOSPC, "No space left on device"))))


def test_a_student_of_other_classes_cannot_teach(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    for known, message in (
        (["0", "dog"], r"knows classes \['dog'\] that the data does not have"),
        ([str(k) for k in range(9, -1, -1)], "in the order .*; name them alike"),
    ):
        monkeypatch.setattr("automl.teaching.read_description", lambda folder, known=known: {"class_names": known})
        with pytest.raises(UserError, match=rf"small\.yaml:\d+:\d+: teachers\[0\]: it {message}|{message}"):
            load_teachers(prepared, {"left": Path("nowhere")})


def test_coverage_in_words() -> None:
    names = ("cat", "dog", "owl")
    assert describe_coverage(Coverage(), names) == "everything"
    assert describe_coverage(Coverage(labels=(2, 0)), names) == "classes owl, cat"
    both = Coverage(labels=(1,), column="slant", values=("left", 3))
    assert describe_coverage(both, names) == "classes dog and slant = left, 3"
