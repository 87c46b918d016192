"""A folder or file of the user's that has the name of a package of the project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PREDICT = "from automl.cli import main; sys.exit(main(['predict', 'none', 'x.png']))"
FROM_PYTHON = "from automl import predict"


def ended(folder: Path, code: str) -> tuple[int, str]:
    """Run code with a folder of the user's first on the path, and the project where an editable install puts it."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["search_spaces", "teachers", "trials"])
def test_a_folder_of_files_beside_the_config_hides_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "big.onnx").touch()
    code, told = ended(tmp_path, PREDICT)
    assert (code, told.partition(":")[0]) == (2, "none holds no exported student")


@pytest.mark.parametrize(
    ("path", "hidden", "what"),
    [("teachers/__init__.py", "teachers", "folder"), ("trials.py", "trials.py", "file")],
)
def test_code_that_hides_a_package_is_named(path: str, hidden: str, what: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).touch()
    name = Path(hidden).stem
    message = (
        f"{tmp_path / hidden}: this {what} hides the package {name!r} of automl-distill, since Python looks there "
        "first; rename it, or take the folder that holds it off PYTHONPATH\n"
    )
    assert ended(tmp_path, PREDICT) == (2, message)
    code, told = ended(tmp_path, FROM_PYTHON)
    assert (code, told.splitlines()[-1]) == (1, f"automl.errors.UserError: {message.strip()}")


def test_a_folder_that_an_install_lets_win_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "teachers").mkdir()
    finder = (  # As setuptools' editable finder: asked only where no folder has the name.
        "import importlib.util as u\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        home = {str(ROOT)!r} + '/' + name\n"
        "        return u.spec_from_file_location(name, home + '/__init__.py') if name in ('automl', 'trials', "
        "'search_spaces') else None\n"
        f"sys.path.remove({str(ROOT)!r}); sys.meta_path.append(Finder)\n"
    )
    code, told = ended(tmp_path, f"exec({finder!r})\n{PREDICT}")
    assert code == 2
    assert told.startswith(f"{tmp_path / 'teachers'}: this folder hides the package 'teachers'")
