"""From a YAML file to a ``Config``, and back."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from automl.commands_to_type import typed
from automl.config.config import Config
from automl.config.crosschecks import missing_files, mistakes_across
from automl.config.messages import Mistake, mistakes
from automl.config.part import FOLDER
from automl.config.places import FLOAT, Places, read_yaml
from automl.config.run_place import unusable_run_place
from automl.errors import UserError

MOST_SHOWN = 20


def load_config(path: str | Path, *, files_must_exist: bool = True, must_end: bool = True) -> Config:
    """Read a config.

    Relative paths of data and teachers start from the folder of the file, and are absolute in the result; ``runs``
    starts from where the command is typed.

    Args:
        path: A YAML file.
        files_must_exist: Whether files of data and teachers must be there, and the run's folder be one to write to;
            False to look at an old run.
        must_end: Whether something must say when the search stops; False where nothing shall be searched.

    Raises:
        UserError: The file cannot be read or says something wrong; one line a mistake, each with its place.
    """
    path = Path(path)
    data, places = read_yaml(_text(path), file=str(path))
    if data is None:
        begin = typed("automl", "init", "NAME")
        raise UserError(f"this file is empty; `{begin}` writes a commented config to start from", place=str(path))
    if not isinstance(data, dict):
        raise UserError("expected KEY: VALUE lines, such as 'name: digits'", place=str(path))
    try:
        config = Config.model_validate(data, context={FOLDER: path.parent.absolute()})
    except ValidationError as error:
        raise _as_one(mistakes(error, Config), places) from error
    config._places = places  # the one who reads the file tells where its settings stand
    found = list(mistakes_across(config, must_end=must_end))
    if files_must_exist:
        found += [*missing_files(config), *unusable_run_place(config)]
    if found:
        raise _as_one(found, places)
    return config


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        begin = typed("automl", "init", path.stem)
        message = f"there is no such file in {Path.cwd()}; `{begin}` writes a config to start from"
        raise UserError(message, place=str(path)) from error
    except IsADirectoryError as error:
        raise UserError("this is a folder; name the YAML file in it", place=str(path)) from error
    except UnicodeDecodeError as error:
        raise UserError(f"this is no text in UTF-8 (byte {error.start}); save it as UTF-8", place=str(path)) from error
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", place=str(path)) from error


def _as_one(found: list[Mistake], places: Places) -> UserError:
    """Put mistakes into one error, those that explain others first, then by line."""
    found = sorted(found, key=lambda mistake: (mistake.rank, places.line_and_column(mistake.path)))
    first, *others = found
    lines = [first.message, *(f"{places.of(mistake.path)}: {mistake.message}" for mistake in others[: MOST_SHOWN - 1])]
    if len(others) >= MOST_SHOWN:
        lines.append(f"and {len(others) - MOST_SHOWN + 1} more mistakes")
    return UserError("\n".join(lines), place=places.of(first.path))


class _Dumper(yaml.SafeDumper):
    """Quotes what either YAML 1.1 or 1.2 would take for something else than text."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, [*"-+.0123456789"])


def dump_config(config: Config) -> str:
    """Write a config with all its defaults, so that it reads back equal from any folder.

    ``${NAME}`` stays as it was written: what environment variables hold is never in the text.
    """
    plain = config.model_dump(mode="json")
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
