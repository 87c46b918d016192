"""The journal opens again however its writer ended, and one controller at a time works on a run."""

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage

from automl.errors import UserError, WorkFailed
from automl.study.journal import GroupedJournal, RunLock, mend_journal, require_whole_journal

ROOT = Path(__file__).parents[2]


def open_study(path: Path) -> optuna.Study:
    backend = JournalStorage(GroupedJournal(str(path)))
    return optuna.create_study(study_name="s", storage=backend, load_if_exists=True)


def values_of(study: optuna.Study) -> list[tuple[int, str, object]]:
    return [(trial.number, trial.state.name, trial.value) for trial in study.get_trials(deepcopy=False)]


@contextmanager
def files_no_larger_than(num_bytes: int) -> Iterator[None]:
    """Let writes break off at a size, as a full disk does; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_journal_cut_anywhere_in_its_last_line_opens_and_keeps_what_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    study = open_study(path)
    for value in (1.0, 2.0):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.tell(trial, value)
    study.ask().suggest_float("x", 0, 1)
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    assert len(whole) - start > 50
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert mend_journal(path) == end - start
        assert path.read_bytes() == whole[:start]
        mended = open_study(path)
        assert values_of(mended)[:2] == [(0, "COMPLETE", 1.0), (1, "COMPLETE", 2.0)]
        assert values_of(mended)[2:] == [(2, "RUNNING", None)]
        mended.tell(2, 3.0)  # It can be written to as well.
        assert values_of(open_study(path))[2:] == [(2, "COMPLETE", 3.0)]


def test_a_torn_journal_is_read_as_it_stands_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    study = open_study(path)
    study.tell(study.ask(), 1.0)
    torn = path.read_bytes() + b'{"op_code": 5, "wor'
    path.write_bytes(torn)
    reader = optuna.load_study(study_name="s", storage=JournalStorage(GroupedJournal(str(path))))
    assert values_of(reader) == [(0, "COMPLETE", 1.0)]
    assert path.read_bytes() == torn


def test_a_whole_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    assert mend_journal(path) == 0
    assert not path.exists()
    path.write_bytes(b"one\ntwo\n")
    assert mend_journal(path) == 0
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("kept", [b"", b"one\n", b"x" * 200_000 + b"\n"])
@pytest.mark.parametrize("torn", [b"{", b"y" * 65_535, b"y" * 65_536, b"y" * 200_000])
def test_half_a_line_of_any_length_is_cut(tmp_path: Path, kept: bytes, torn: bytes) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(kept + torn)
    assert mend_journal(path) == len(torn)
    assert path.read_bytes() == kept


def test_the_lock_of_a_writer_that_died_does_not_hold_up_the_next(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    study = open_study(path)
    path.with_name("study.journal.lock").symlink_to(path)
    mend_journal(path)
    study.tell(study.ask(), 1.0)
    assert values_of(open_study(path)) == [(0, "COMPLETE", 1.0)]


def test_a_write_that_breaks_off_halfway_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    study = open_study(path)
    study.tell(study.ask(), 1.0)
    before = path.read_bytes()
    with files_no_larger_than(len(before) + 10), pytest.raises(OSError, match=r"study\.journal") as caught:
        study.set_user_attr("long", "x" * 1000)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == before
    study.set_user_attr("long", "y")  # There is room again.
    assert open_study(path).user_attrs == {"long": "y"}


def test_lines_are_on_the_disk_after_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    path = tmp_path / "study.journal"
    study = open_study(path)
    study.ask()
    assert not synced
    GroupedJournal(str(path)).commit()
    assert len(synced) == 1


def test_a_second_controller_is_refused_and_told_who_works(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        with pytest.raises(UserError, match=rf"{tmp_path}.*process {os.getpid()}.*wait for it, or stop it"):
            RunLock(tmp_path).__enter__()
        with pytest.raises(UserError, match=f"process {os.getpid()}"):  # Asking did not free it.
            RunLock(tmp_path).__enter__()
    with RunLock(tmp_path):
        pass


def test_the_lock_is_free_after_its_holder_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from automl.study.journal import RunLock\n"
        "with RunLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=f"process {holder.pid}"):
        RunLock(tmp_path).__enter__()
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=30)
    with RunLock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("garbage", [b"garbage{", b"\xff\xfe", b"17", b""])
def test_a_damaged_line_is_named_with_what_to_cut(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "study.journal"
    study = open_study(path)
    for value in range(3):
        study.tell(study.ask(), value)
    lines = path.read_bytes().split(b"\n")
    require_whole_journal(path)
    path.write_bytes(b"\n".join([*lines[:4], garbage, *lines[5:]]))
    with pytest.raises(WorkFailed) as caught:
        require_whole_journal(path)
    assert str(caught.value).startswith(f"{path}:5: this line of the study is damaged")
    command = str(caught.value).split("`")[1]
    subprocess.run(command, shell=True, check=True)
    require_whole_journal(path)
    assert len(open_study(path).get_trials()) >= 1


def test_half_a_last_line_may_be_being_written(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    open_study(path)
    with path.open("ab") as file:
        file.write(b'{"op_code":')
    require_whole_journal(path)
