from pathlib import Path

import pytest

from automl.config import load_config
from automl.config.teachers import TrainTeacher
from automl.errors import UserError
from automl.init import PLACEHOLDER, TEMPLATE, init


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_written_config_is_one_and_bears_the_name() -> None:
    path = init("digits")
    assert path == Path("digits.yaml")
    config = load_config(path)
    assert config.name == "digits"
    assert all(isinstance(teacher, TrainTeacher) for teacher in config.teachers)


def test_without_a_name_the_file_is_called_config_and_the_search_by_the_placeholder() -> None:
    assert load_config(init()).name == PLACEHOLDER
    assert Path("config.yaml").is_file()


def test_an_ending_may_be_given_along() -> None:
    assert init("mine.yaml") == Path("mine.yaml")
    assert init("mine.yml") == Path("mine.yml")


def test_an_existing_file_is_left_as_it_is() -> None:
    Path("digits.yaml").write_text("mine")
    with pytest.raises(UserError, match=r"^digits\.yaml: this file exists and is left as it is; give another NAME$"):
        init("digits")
    assert Path("digits.yaml").read_text() == "mine"


def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(
        UserError, match=r"^nowhere/a\.yaml: there is no folder nowhere; make it first, or give another NAME$"
    ):
        init("nowhere/a")


def test_a_name_that_no_run_can_have_is_told() -> None:
    with pytest.raises(UserError, match=r"^NAME: expected a name of letters, .*, got 'my search'$"):
        init("my search")


def test_lines_of_the_template_fit_a_page() -> None:
    assert max(map(len, TEMPLATE.read_text().splitlines())) <= 120


def test_what_stands_in_comments_is_right_too() -> None:
    """Each commented setting must be taken once its comment sign is away."""
    lines = TEMPLATE.read_text().splitlines()
    for old, new in {
        "  # minutes: 30": "  minutes: 30",
        "  # stall:": "  stall:",
        "  # in_flight: 2": "  in_flight: 2",
        "  # optimizer:": "  optimizer:",
        "  # weight_decay:": "  weight_decay:",
        "  # schedule:": "  schedule:",
        "  # warmup:": "  warmup:",
        "# address:": "address:",
        "# storage:": "storage:",
        "# tracking:": "tracking:",
    }.items():
        assert sum(line.startswith(old) for line in lines) == 1, old
        lines = [line.replace(old, new, 1) if line.startswith(old) else line for line in lines]
    Path("x.yaml").write_text("\n".join(lines))
    config = load_config("x.yaml")
    assert config.search.stall is not None
    assert (
        config.recipe.at(
            {
                "recipe.learning_rate": 0.01,
                "recipe.losses.kd.weight": 1.0,
                "recipe.losses.kd.temperature": 1.0,
                "recipe.weighting": "fixed",
            }
        ).schedule
        == "cosine"
    )
