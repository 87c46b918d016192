"""What to say where a disk is full."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path


def no_room(error: BaseException, folders: Sequence[Path], resumption: str) -> str:
    """Say where there is no room, how much there is, and how to go on.

    Args:
        error: Names the file that could not be written, or does not.
        folders: That were written to, beside that of temporary files.
        resumption: What to type to go on; empty for the same command again.
    """
    file = getattr(error, "filename", None)
    places = [Path(file).parent] if file and os.sep in str(file) else [*folders, Path(tempfile.gettempdir())]
    existing = dict.fromkeys(map(_existing, places))
    left = ", ".join(f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB in {folder}" for folder in existing)
    remedy = f"go on with: {resumption}" if resumption else "type the command again"
    what = f": {file} cannot be written" if file else ""
    return f"the disk is full{what}; there is room for {left}; free space there, then {remedy}"


def _existing(folder: Path) -> Path:
    """Give the folder, or the nearest around it that is there."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.exists())
