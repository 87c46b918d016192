"""Whether a search can keep its run where the config says, found out without leaving a trace."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from automl.config.config import Config
from automl.config.messages import Mistake
from automl.errors import disk_is_full

_LONGEST_NAME = 255
"""Bytes of a file's name on the file systems that are in use."""


def unusable_run_place(config: Config) -> Iterator[Mistake]:
    """Find what keeps the run's folder from being made and written to.

    Args:
        config: Names the folder.

    Raises:
        OSError: The disk is full, which is not the config's fault.
    """
    folder = config.folder.absolute()
    try:
        there = next(each for each in (folder, *folder.parents) if _is_there(each))
        for name in folder.relative_to(there).parts:
            _is_there(there / name)  # Below a folder that is not there yet, no name is looked at.
        _try(there)
    except OSError as error:
        if disk_is_full(error):
            raise
        # Root may write everywhere but where the system lets nobody, which then says that nothing is there.
        reason = "nothing can be made there" if error.errno == errno.ENOENT else error.strerror
        if error.errno == errno.ENAMETOOLONG and len(os.fsencode(config.name)) > _LONGEST_NAME:
            yield Mistake(path=("name",), message=f"no folder can have this name: {reason}; give a shorter one")
            return
        message = f"the run cannot be kept in {config.folder}: {error.filename}: {reason}; name a folder to write to"
        yield Mistake(path=("runs",), message=message)


def _is_there(path: Path) -> bool:
    """Tell whether there is something; a path that cannot be raises."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _try(folder: Path) -> None:
    """Make something in a folder and remove it."""
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is a file", str(folder))
    try:
        Path(tempfile.mkdtemp(prefix=".automl-", dir=folder)).rmdir()
    except OSError as error:
        error.filename = str(folder)
        raise
