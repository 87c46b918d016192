import pytest

from trials.data import READERS
from trials.data.factory import read_factory

MODULE = """
import numpy as np
from trials.data import RawData

def rows(*, count, width=2):
    return RawData(inputs=np.ones((count, width), np.float32), labels=np.zeros(count, np.int64), class_names=("a",))

def wrong():
    return [1, 2]

def broken():
    raise RuntimeError("no disk in drive a")

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "data_of_a_user.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "data_of_a_user"


def test_calls_it_with_the_options(module):
    raw = read_factory(factory=f"{module}:rows", options={"count": 3, "width": 4})
    assert raw.inputs.shape == (3, 4)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rows", {}, "takes .*count, width=2.*got options .*missing a required"),
        ("rows", {"count": 1, "height": 2}, r"got options count, height"),
        ("wrong", None, "must return trials.data.RawData, got list"),
        ("number", None, "is a int, expected a function"),
        ("row", None, r"has no 'row'; did you mean one of rows"),
    ],
)
def test_mistakes_are_named(module, name, options, message):
    with pytest.raises(ValueError, match=message):
        read_factory(factory=f"{module}:{name}", options=options)


def test_the_catalog_names_every_kind():
    assert sorted(READERS) == ["factory", "huggingface", "idx", "image_folder", "npz", "sklearn", "table"]


def test_says_what_it_raised(module):
    with pytest.raises(ValueError, match="'data_of_a_user:broken' raised RuntimeError: no disk in drive a"):
        read_factory(factory=f"{module}:broken")
