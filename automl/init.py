"""A config to start from."""

from pathlib import Path

from automl.errors import UserError
from automl.names import FOLDER_NAME

TEMPLATE = Path(__file__).parent / "templates" / "config.yaml"
PLACEHOLDER = "my-search"
"""The search's name in the template."""


def init(name: str = "config") -> Path:
    """Write a commented config into the current folder.

    Args:
        name: Of the search; the file is ``NAME.yaml``, and an ending ``.yaml`` may be given along.

    Returns:
        The file, which did not exist before.

    Raises:
        UserError: It exists, its folder does not, or the name cannot name a run.
    """
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not FOLDER_NAME.fullmatch(path.stem):
        raise UserError(f"expected a name of letters, digits, '.', '_' and '-', got {path.stem!r}", place="NAME")
    text = TEMPLATE.read_text(encoding="utf-8")
    if path.stem != "config":
        text = text.replace(PLACEHOLDER, path.stem)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError("this file exists and is left as it is; give another NAME", place=str(path)) from error
    except FileNotFoundError as error:
        raise UserError(
            f"there is no folder {path.parent}; make it first, or give another NAME", place=str(path)
        ) from error
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", place=str(path)) from error
    return path
