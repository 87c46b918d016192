"""Teachers made ready: trained on what they cover, asked about every row once, judged."""

import errno
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.preparation.prepare import Prepared, prepare
from automl.teaching.schooling import home, schooling
from automl.teaching.strength import describe_coverage
from automl.teaching.teach import fill_cache, load_teachers, teach, train_teachers
from teachers import Coverage, Outputs, OutputStore, Teacher
from trials.records import Artefacts, Outcome, TrialResult
from trials.student import Normalisation


@dataclass(frozen=True)
class Model:
    """A teacher that knows the answer to every image, since it counts its ink."""

    width: int = 10
    error: Exception | None = None

    def __call__(self, inputs: Any, features: Collection[str] = ()) -> Outputs:
        del features
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
        executor.said = []
        config = prepared.config.model_copy(update={"teachers": prepared.config.teachers * len(teachers)})
        with ExitStack() as leases:
            store = OutputStore(tmp_path, limit_bytes=10**9)
            ready = replace(prepared, config=config)
            filled = fill_cache(ready, teachers, executor, store, leases=leases, say=executor.said.append)
            executor.submitted = [name for name in executor.submitted if not name.startswith("probe-")]
            return executor, store, *filled

    return go


def test_a_teacher_is_trained_on_its_home_with_every_label_visible(prepared: Prepared) -> None:
    dataset = prepared.dataset
    assert dataset.labelled is not None
    lessons = home(dataset, Coverage(labels=(1, 2), column="style", values=("left",)))
    rows = lessons.splits["train"]
    assert lessons.labelled is None
    assert set(dataset.labels[rows]) == {1, 2}
    assert set(dataset.columns["style"][rows].astype(str)) == {"left"}
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


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"layers": 3}},
        {"task": "my_tasks:grading"},
        {"statistics": Normalisation(mean=(1.0,), std=(2.0,), value_range=(0.0, 16.0))},
        {"statistics": None},
    ],
)
def test_a_teacher_trained_for_another_space_task_or_normalisation_is_another(
    prepared: Prepared, other: dict[str, Any]
) -> None:
    lesson = schooling(prepared, 0)
    assert replace(lesson, **other).folder_name() != lesson.folder_name()


def test_a_teacher_of_other_class_names_or_of_another_format_is_another(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = schooling(prepared, 0)
    name = lesson.folder_name()
    renamed = replace(lesson.lessons, class_names=tuple(f"digit {k}" for k in range(10)))
    assert replace(lesson, lessons=renamed).folder_name() != name
    monkeypatch.setattr("automl.teaching.schooling.FORMAT", 999)
    assert lesson.folder_name() != name


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


def test_of_two_searches_that_train_the_same_teacher_the_first_one_s_is_used(
    prepared: Prepared, tmp_path: Path
) -> None:
    class Overtaken(Trained):
        def run_all(self, tasks: list[Any]) -> list[Any]:
            folder = tmp_path / schooling(prepared, 0).folder_name()
            folder.mkdir()
            (folder / "graph").write_bytes(b"first")
            return tasks

    folders = train_teachers(prepared, Overtaken(Outcome.TRAINED), tmp_path)  # type: ignore[arg-type]
    assert (folders["left"] / "graph").read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [folders["left"]]


def test_a_teacher_whose_training_fails_leaves_nothing_and_ends_the_search(prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match=r"training teacher 'left' failed:\nTraceback\nRuntimeError: diverged"):
        train_teachers(prepared, Trained(Outcome.FAILED), tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_every_row_is_asked_about_once(fill: Callable[..., Any], prepared: Prepared) -> None:
    executor, _, place, (record,), computed = fill(teacher())
    assert computed == len(executor.submitted) > 0
    assert record.covers == "everything"
    assert set(record.metrics) == {"home"}
    assert set(record.by_label) == set(prepared.dataset.class_names)
    assert record.by_home == {"left": record.metrics["home"]}
    answers = place.open(prepared.dataset)
    rows = prepared.dataset.splits["train"][:5]
    batch = prepared.dataset.batch(rows)
    assert torch.allclose(answers(batch).logits[0], Model()(batch.inputs).logits, rtol=1e-3)

    executor, _, again, _, computed = fill(teacher())
    assert (executor.submitted, again.packs, computed) == ([], place.packs, 0)


def test_a_machine_without_the_answers_fetches_them(
    fill: Callable[..., Any], prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store, place, _, _ = fill(teacher())
    assert place.contents is None  # All trials run here.
    contents = {key.digest: store.read_shard_bytes(key) for key in place.packs.values()}
    monkeypatch.setattr("automl.cluster.nodes.resolve", lambda reference: reference)
    elsewhere = replace(place, folder=tmp_path / "elsewhere", contents=contents)
    batch = prepared.dataset.batch(prepared.dataset.splits["train"][:5])
    for _ in range(2):  # The second time from its own disk.
        assert torch.equal(elsewhere.open(prepared.dataset)(batch).logits, place.open(prepared.dataset)(batch).logits)
    (file,) = [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    file.write_bytes(file.read_bytes()[:-10])  # Torn.
    assert torch.equal(elsewhere.open(prepared.dataset)(batch).logits, place.open(prepared.dataset)(batch).logits)


def test_answers_that_are_damaged_where_they_cannot_be_fetched_are_no_trial_s_fault(
    fill: Callable[..., Any], prepared: Prepared
) -> None:
    _, store, place, _, _ = fill(teacher())
    (key,) = place.packs.values()
    store.path(key).write_bytes(b"torn")
    with pytest.raises(WorkFailed, match=r"answers were removed or damaged during the search: .*--resume"):
        place.open(prepared.dataset)
    store.path(key).unlink()
    with pytest.raises(WorkFailed, match=r"answers were removed or damaged"):
        place.open(prepared.dataset)


def test_where_all_answers_together_are_kept_nothing_is_asked_again(fill: Callable[..., Any]) -> None:
    made = teacher(Model(width=3), Coverage(labels=(4, 1, 7))), teacher()
    _, store, place, records, computed = fill(*made)
    shards = list(store.folder.rglob("*.shard"))
    assert len(shards) == computed == 2
    for shard in shards:
        shard.unlink()
    executor, _, again, judged, computed = fill(*made)
    assert (executor.submitted, again.packs, computed) == ([], place.packs, 0)
    assert judged == records
    store.path(place.packs[0]).unlink()
    assert fill(*made)[-1] == 2


def test_a_teacher_comes_from_the_cache_where_its_answers_are_kept_and_were_there(
    prepared: Prepared, tmp_path: Path, in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.teaching.teach.train_teachers", lambda prepared, executor, folder: {})
    monkeypatch.setattr("automl.teaching.teach.load_teachers", lambda prepared, trained: [teacher()])

    def told(gb: float) -> str:
        said: list[str] = []
        executor = in_process()
        executor.local = True
        cache = prepared.config.cache.model_copy(update={"gb": gb})
        config = prepared.config.model_copy(update={"runs": tmp_path, "cache": cache})
        with ExitStack() as leases:
            teach(replace(prepared, config=config), Mock(), executor, leases=leases, say=said.append)
        (line,) = [line for line in said if line.startswith("teacher left")]
        return line

    assert not told(1e-9).endswith("(from the cache)")  # Nothing is kept.
    assert not told(1.0).endswith("(from the cache)")
    assert told(1.0).endswith(" (from the cache)")
    assert not told(1e-9).endswith("(from the cache)")


def test_a_teacher_is_judged_by_the_classes_that_it_knows(fill: Callable[..., Any], prepared: Prepared) -> None:
    # It gives more ink the higher label, so that of its classes it always says 7.
    narrow, wide = (teacher(Model(width=width), Coverage(labels=(4, 1, 7))) for width in (3, 10))
    labels = prepared.dataset.labels[prepared.dataset.splits["validation"]]
    for made in (narrow, wide):
        *_, (record,), _ = fill(made)
        told = 7  # The last of three columns, or the highest of ten.
        at_home = np.isin(labels, (4, 1, 7))
        assert record.metrics == {"home": pytest.approx((labels[at_home] == told).mean()), "abroad": 0.0}


def test_each_chunk_is_sent_once_and_few_at_a_time_and_no_gpu_is_asked_for(
    prepared: Prepared, tmp_path: Path, in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachers.cache.keys.SHARD_ROWS", 256)
    config = prepared.config.model_copy(
        update={
            "resources": prepared.config.resources.model_copy(update={"gpus": 1.0}),
            "teachers": prepared.config.teachers * 2,
        }
    )
    made = [replace(teacher(), name="a"), replace(teacher(), name="b", digest="f" * 64)]
    events: list[tuple[str, Any]] = []

    class Watched(in_process):  # type: ignore[misc]
        def share(self, thing: object) -> Any:
            events.append(("share", thing))
            return thing

        def submit(self, *args: Any, share: Any, **named: Any) -> Any:
            events.append(("submit", share))
            return super().submit(*args, share=share, **named)

        def wait(self, tasks: list[Any], *, seconds: float) -> list[Any]:
            events.append(("wait", len(tasks)))
            return tasks[:1]

    store = OutputStore(tmp_path, limit_bytes=10**9)
    with ExitStack() as leases:
        *_, computed = fill_cache(
            replace(prepared, config=config), made, Watched(), store, leases=leases, say=lambda _: None
        )
    _, *chunks = [thing for kind, thing in events if kind == "share" and isinstance(thing, np.ndarray)]
    assert len(chunks) == 6  # 1438 rows; what stands before them are those on which teachers are tried out.
    heard = np.concatenate([prepared.dataset.splits[name] for name in ("train", "validation")])
    assert np.array_equal(np.concatenate(chunks), prepared.dataset.inputs[heard])
    assert computed == 12
    assert {share.gpus for kind, share in events if kind == "submit"} == {0.0}
    assert max(number for kind, number in events if kind == "wait") == 4  # twice the room


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
        (["0", "dog"], r"knows classes dog that the data does not have"),
        ([str(k) for k in range(9, -1, -1)], "in the order .*; name them alike"),
    ):
        monkeypatch.setattr(
            "automl.teaching.loading.read_description", lambda folder, known=known: {"class_names": known}
        )
        with pytest.raises(UserError, match=rf"small\.yaml:\d+:\d+: teachers\[0\]: it {message}|{message}"):
            load_teachers(prepared, {"left": Path("nowhere")})


def test_coverage_in_words() -> None:
    names = ("cat", "dog", "owl")
    assert describe_coverage(Coverage(), names) == "everything"
    assert describe_coverage(Coverage(labels=(2, 0)), names) == "classes owl, cat"
    both = Coverage(labels=(1,), column="style", values=("left", 3))
    assert describe_coverage(both, names) == "classes dog and style = left, 3"
