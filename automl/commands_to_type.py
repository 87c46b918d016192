"""Commands as they are shown to be typed: they work in the shell that reads them, whatever the paths are called."""

import shlex
import shutil
import sys
from pathlib import Path


def typed(*words: str | Path) -> str:
    """Write a command so that it can be pasted into a shell.

    Args:
        words: A program of this environment, such as ``automl`` or ``mlflow``, then its arguments.

    Returns:
        One line; what a shell would take apart is quoted.
    """
    program, *arguments = map(str, words)
    return shlex.join([_program(program), *arguments])


def _program(name: str) -> str:
    """Name a program: by its path where a shell would not find it, since the environment is not activated."""
    if shutil.which(name) is not None:
        return name
    script = shutil.which(name, path=str(Path(sys.executable).parent))
    if script is None:  # The package is not installed, as in a clone that is run by `python -m`.
        return name
    path = Path(script)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else script
