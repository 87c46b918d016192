"""The study's journal file: opened only when it is whole."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from automl.errors import UserError


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
        except OSError as error:
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
