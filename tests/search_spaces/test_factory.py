from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from search_spaces import ModelSignature, TensorSpec, factory

SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(6,)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
)
MODULE = """
from torch import nn

NOT_A_FUNCTION = 3

def plain(width=4):
    return nn.Sequential(nn.Linear(6, width), nn.Linear(width, 3))

def by_classes(num_classes, *, width=4):
    return nn.Sequential(nn.Linear(6, width), nn.Linear(width, num_classes))

def by_signature(signature):
    return nn.Linear(*signature.sole_input_shape, *signature.sole_output_shape)

def failing():
    raise RuntimeError("no such file: weights")

def no_module():
    return [nn.Linear(6, 3)]
"""


@pytest.fixture(autouse=True)
def _importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_students.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield


def built(name: str, **arguments: object) -> nn.Module:
    space = factory(factory=f"own_students:{name}", arguments=arguments)
    return space.build(space.spec({}), SIGNATURE)


def test_function_gets_its_arguments() -> None:
    assert built("plain", width=9)[0].out_features == 9  # type: ignore[index] # a Sequential


@pytest.mark.parametrize("name", ["by_classes", "by_signature"])
def test_function_gets_of_the_signature_what_it_asks_for_by_name(name: str) -> None:
    assert built(name)(torch.zeros(2, 6)).shape == (2, 3)


def test_arguments_go_before_what_is_offered() -> None:
    assert built("by_classes", num_classes=7)(torch.zeros(2, 6)).shape == (2, 7)


def test_name_of_a_student_changes_with_function_and_arguments() -> None:
    spaces = [
        factory(factory="own_students:plain"),
        factory(factory="own_students:by_classes"),
        factory(factory="own_students:plain", arguments={"width": 8}),
        factory(factory="own_students:plain", arguments={"width": 9}),
    ]
    assert len({space.spec({}).architecture_digest for space in spaces}) == 4
    assert factory(factory="own_students:plain", arguments={}).spec({}) == spaces[0].spec({})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "plain",
            {"wide": 3},
            r"cannot be called with arguments {'wide': 3}: .*'wide'; its parameters are width",
        ),
        ("NOT_A_FUNCTION", {}, "must be a function, it is a int"),
        ("plian", {}, r"has no 'plian'; did you mean one of plain"),
    ],
)
def test_what_cannot_be_called_is_told_before_it_is_built(
    name: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        factory(factory=f"own_students:{name}", arguments=arguments)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failing", "called with arguments {}, raised RuntimeError: no such file: weights"),
        ("no_module", "must return a torch.nn.Module, it returned list"),
    ],
)
def test_what_a_function_does_wrong_is_told_with_its_name(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"factory 'own_students:{name}'.*{message}"):
        built(name)
