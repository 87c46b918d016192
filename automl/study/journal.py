"""The study's storage; a journal file is opened only when it is whole, and written to the disk once a step."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file  # takes the journal's lock, as Optuna's own class does

from automl.commands_to_type import typed
from automl.errors import UserError, WorkFailed


class GroupedJournal(JournalFileBackend):
    """Optuna's journal, with one wait for the disk a step of the search instead of one a line.

    A proposal writes a line for each of its choices. Optuna waits for the disk after each, some 3 ms; a search cannot
    use half a proposal, so here ``commit`` waits once, after all of them. A killed process loses nothing either way:
    what was written is the system's by then. Only a machine that goes down can lose the lines since the last commit.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines to the end of the file: all of them or, where the disk is full, none."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with get_lock_file(self._lock), Path(self._file_path).open("ab", buffering=0) as file:
            end = file.tell()
            try:
                while lines:
                    lines = lines[file.write(lines) :]
            except OSError as error:
                file.truncate(end)
                error.filename = self._file_path
                raise

    def commit(self) -> None:
        """Wait until all that was written is on the disk."""
        with Path(self._file_path).open("ab") as file:
            os.fsync(file.fileno())


class RunLock:
    """Makes sure that one controller at a time works on a run; the system frees it when its process ends.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> "RunLock":
        """Take the lock.

        Raises:
            UserError: Another process has it.
        """
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise UserError(
                f"a search is running on this run (process {holder}); wait for it, or stop it",
                place=str(self._path.parent),
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the lock back."""
        assert self._file is not None
        self._file.close()


def require_whole_journal(path: Path) -> None:
    """Make sure that all lines but the last, which may be being written, are those of a study.

    Raises:
        WorkFailed: One is not.
    """
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            is_whole = isinstance(json.loads(line), dict)
        except ValueError:
            is_whole = False
        if not is_whole:
            cut = typed("sed", "-i", f"{number},$d", path)
            raise WorkFailed(
                f"{path}:{number}: this line of the study is damaged, so that the run cannot be read; bring the file "
                f"back from a copy. Without one, `{cut}` cuts the study off there: what came later is lost, and "
                "--resume does it again"
            )


def mend_journal(path: Path) -> int:
    """Cut half a last line off, which a killed process or a full disk left: Optuna cannot load such a file.

    Call it under the run's lock. It also removes the journal's own lock if its holder died with it.

    Returns:
        Number of bytes cut off, 0 for a whole file.
    """
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
    return size - end


def open_storage(path: Path, url: str | None, *, mend: bool) -> tuple[BaseStorage, Callable[[], None]]:
    """Open the storage of a study.

    Args:
        path: Of the journal, which is used where there is no URL.
        url: Of a database, or None.
        mend: Whether it is to be written, so that half a line of a killed process is cut off; else it must be there.

    Returns:
        The storage, and what makes its writes last.

    Raises:
        KeyError: There is no journal to read.
    """
    if url is not None:
        return RDBStorage(url), lambda: None
    if mend:
        mend_journal(path)
    elif not path.exists():
        raise KeyError  # Reading must not make an empty file.
    journal = GroupedJournal(str(path))
    return JournalStorage(journal), journal.commit
