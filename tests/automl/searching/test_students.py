"""A student's files are there whole or not at all, and a run keeps those of its front only."""

import errno
import os
from pathlib import Path

import pytest

from automl.searching.students import Students, write_folder
from trials.records import Artefacts


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def full_disk(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full after so many files."""
    written: list[int] = []

    def fsync(descriptor: int) -> None:
        if len(written) == after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


OLD = Artefacts(files={"a": b"old a", "b": b"old b"})
FRESH = Artefacts(files={"a": b"fresh a", "c": b"fresh c"})


def test_saved_files_replace_those_of_the_same_student(tmp_path: Path) -> None:
    students = Students(tmp_path)
    students.save("one", OLD)
    students.save("one", FRESH)
    assert files_of(students.folder("one")) == FRESH.files
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["one"]


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_leaves_no_half_student_and_the_old_one_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    students = Students(tmp_path)
    students.save("one", OLD)
    full_disk(after, monkeypatch)
    for digest in ("one", "two"):
        with pytest.raises(OSError, match=f"No space left on device.*students/{digest}") as caught:
            students.save(digest, FRESH)
        assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["one"]
    assert files_of(students.folder("one")) == OLD.files


def test_pruning_keeps_the_front_and_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    students = Students(tmp_path)
    students.prune(["one"])  # Before the first student there is no folder.
    for digest in ("one", "two", "three"):
        students.save(digest, OLD)
    (tmp_path / "students" / "four.123.part").mkdir()
    (tmp_path / "students" / ".DS_Store").write_bytes(b"")
    students.prune(iter(["one", "three"]))
    assert sorted(path.name for path in (tmp_path / "students").iterdir()) == [".DS_Store", "one", "three"]


def test_disk_use_stays_that_of_the_students_kept(tmp_path: Path) -> None:
    students = Students(tmp_path)
    assert students.num_bytes() == 0
    for number in range(20):
        students.save(f"s{number}", Artefacts(files={"graph": b"0" * 1000, "weights": b"1" * 500}))
        students.prune([f"s{number}", f"s{number - 1}"])
        assert students.num_bytes() <= 2 * 1500
    assert students.num_bytes() == 3000


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "x" / "y", OLD)
    assert files_of(tmp_path / "x" / "y") == OLD.files


def test_a_replaced_folder_is_whole_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "student"
    write_folder(folder, OLD)
    renames: list[Path] = []
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        renames.append(self)
        if self.name.endswith(".part"):
            assert [files_of(path) for path in tmp_path.iterdir() if path != self] == [OLD.files], "kept aside"
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="Input/output error"):
        write_folder(folder, FRESH)
    assert len(renames) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
    assert files_of(folder) == OLD.files
    monkeypatch.undo()
    write_folder(folder, FRESH)
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
    assert files_of(folder) == FRESH.files
