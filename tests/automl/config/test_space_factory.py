"""What a config names as a search space, and what is no space, told without running it where that shows."""

from pathlib import Path

import pytest

from automl.config.space_factory import WrongOptionsError, make_space
from search_spaces import SearchSpace

MODULE = """\
from torch import nn
import search_spaces
from search_spaces import SearchSpace

RUN = []
number = 3
space = search_spaces.mlp()


def good(*, widest: int = 32) -> SearchSpace:
    return search_spaces.mlp(max_width=widest)


def unannotated(size):
    RUN.append(size)
    return 7


def annotated() -> "nn.Module":
    RUN.append(1)


def foreign_annotation() -> "not_there.Thing":
    return search_spaces.mlp()


def raising():
    raise KeyError("lost")


def refusing():
    raise ValueError("not today")


class Student(nn.Module):
    pass


class Plain:
    pass
"""
EXPECTED = "expected a function that returns a search_spaces.SearchSpace"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "given_spaces"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    return name


@pytest.mark.parametrize("options", [{}, {"widest": 16}])
def test_a_function_that_returns_a_space_is_called_with_the_options(module: str, options: dict[str, object]) -> None:
    assert isinstance(make_space(f"{module}:good", options), SearchSpace)
    assert isinstance(make_space(f"{module}:foreign_annotation", {}), SearchSpace)


@pytest.mark.parametrize("name", ["os:system", "builtins:print", "subprocess:run", "subprocess:Popen"])
def test_what_belongs_to_python_is_never_called(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' belongs to Python itself \(module \w+\); {EXPECTED}"):
        make_space(name, {"command": "touch here"})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", f"is an int; {EXPECTED}"),
        ("space", f"is a search space already; {EXPECTED}, so write a function that returns it"),
        ("Student", "is a torch.nn.Module, which is a student and no space of students; write `space: factory` and"),
        ("Plain", f"is a class that is no SearchSpace; {EXPECTED}"),
        ("annotated", f"returns a Module, as its annotation says; {EXPECTED}"),
        ("raising", "called with {}, raised KeyError: 'lost'"),
        ("refusing", "not today"),
    ],
)
def test_what_is_no_space_is_told_for_what_it_is(module: str, name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make_space(f"{module}:{name}", {})
    assert message in str(caught.value)
    assert not isinstance(caught.value, WrongOptionsError)
    assert __import__(module).RUN == []


def test_what_returns_something_else_is_told(module: str) -> None:
    with pytest.raises(ValueError, match=f"'{module}:unannotated' returned an int; {EXPECTED}"):
        make_space(f"{module}:unannotated", {"size": 3})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unannotated", {}, "needs the option size; write `options: {size: ...}` beside `space`; its options are size"),
        (
            "good",
            {"wide": 3},
            "unknown option of space 'given_spaces:good': 'wide', did you mean 'widest'?",
        ),
    ],
)
def test_options_that_are_missing_or_unknown_are_told_without_a_call(
    module: str, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(WrongOptionsError) as caught:
        make_space(f"{module}:{name}", options)
    assert message in str(caught.value)
    assert __import__(module).RUN == []


def test_a_model_space_of_nni_is_sent_to_its_own_space() -> None:
    name = "tests.search_spaces.nni_models:Convnet"
    assert make_space("nni", {"factory": name}).name == "nni"
    message = rf"is a model space of NNI; write `space: nni` and `options: {{factory: '{name}'}}`"
    with pytest.raises(ValueError, match=message):
        make_space(name, {})
