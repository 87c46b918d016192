"""Files of the user's that hide a package of the project, since they have its name and Python looks there first."""

from importlib.util import find_spec
from pathlib import Path

from automl.errors import UserError

_HOME = Path(__file__).resolve().parents[1]
_PACKAGES = ("search_spaces", "teachers", "trials")
"""Beside this one, and as it; found but not imported here, since that takes seconds."""


def refuse_shadows() -> None:
    """Make sure that the project's packages are its own.

    Raises:
        UserError: Something else has the name of one.
    """
    for name in _PACKAGES:
        found = _place_of(name)
        if found is not None and found.resolve() != (_HOME / name).resolve():
            what = "folder" if found.is_dir() else "file"
            raise UserError(
                f"this {what} hides the package {name!r} of automl-distill, since Python looks there first; rename it, "
                "or take the folder that holds it off PYTHONPATH",
                place=str(found),
            )


def _place_of(name: str) -> Path | None:
    """Find the folder of a package, or the file of a module; None where there is none."""
    spec = find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations is not None:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None
