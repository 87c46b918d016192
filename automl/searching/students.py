"""Files of trained students in a run's folder: of the front, and of those that other limits would bring there."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from trials.records import Artefacts


class Students:
    """``students/DIGEST/`` of a run; a student is there whole or not at all.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "students"

    def folder(self, digest: str) -> Path:
        """Where the files of a student are."""
        return self._folder / digest

    def save(self, digest: str, artefacts: Artefacts) -> None:
        """Write the files of a student, all together."""
        write_folder(self.folder(digest), artefacts)

    def adopt(self, digest: str, other: "Students") -> bool:
        """Copy the files of a student from another run; False where that one has none."""
        folder = other.folder(digest)
        files = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
        if files:
            self.save(digest, Artefacts(files=files))
        return bool(files)

    def prune(self, keep: Iterable[str]) -> None:
        """Remove students that are not kept, and what a killed process left half-written."""
        kept = set(keep)
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if path.name not in kept and path.is_dir():
                shutil.rmtree(path)

    def num_bytes(self) -> int:
        """Disk use of all students."""
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())


def write_folder(folder: Path, artefacts: Artefacts) -> None:
    """Write files into a folder that appears under its name only when all of them are on the disk.

    Args:
        folder: Replaced if it is there.
        artefacts: The files.
    """
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    aside = folder.with_name(f"{folder.name}.{os.getpid()}.old")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name, content in artefacts.files.items():
            with (draft / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            # Killed in between, the old one is still there, if under another name; a folder replaces none in one step.
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        draft.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        if aside.exists() and not folder.exists():
            aside.rename(folder)
        shutil.rmtree(draft, ignore_errors=True)
        error.filename = error.filename or str(folder)  # A write that fails does not say where.
        raise
