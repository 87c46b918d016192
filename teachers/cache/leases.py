"""Who uses which files of the cache, told by locks that end with their process, however it ends."""

import fcntl
import os
import uuid
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file alone; waits for whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # Closing the file frees the lock.


@contextmanager
def lease(folder: Path, names: Iterable[str], *, guard: Path) -> Iterator[None]:
    """Keep files from eviction while the context lasts.

    Args:
        folder: Of all leases.
        names: Of the files; they need not exist yet.
        guard: Lock file that an eviction holds, so that none is under way when the lease begins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4().hex}.lease"
    with exclusive(guard):
        file = path.open("x+b")
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write("\n".join(names).encode())
        file.flush()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def leased_names(folder: Path) -> set[str]:
    """Collect what living processes lease, and remove leases of dead ones; call it under the guard."""
    names: set[str] = set()
    for path in folder.glob("*.lease"):
        try:
            file = path.open("rb")
        except FileNotFoundError:  # Its holder ended it just now.
            continue
        with file:
            if try_lock(file):
                path.unlink(missing_ok=True)
            else:
                names.update(file.read().decode().split("\n"))
    return names


def try_lock(file: BinaryIO) -> bool:
    """Lock an open file alone, unless anybody else holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share_lock(path: Path, *, holder: object) -> None:
    """Lock a file together with other users of it, as long as ``holder`` lives.

    Raises:
        FileNotFoundError: The file is not there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    weakref.finalize(holder, os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
