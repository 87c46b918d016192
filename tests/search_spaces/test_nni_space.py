"""Model spaces of NNI as search spaces: what they leave open, under which condition, and what a point builds."""

import logging
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from search_spaces import (
    Categorical,
    Integer,
    ModelSignature,
    Real,
    SearchSpace,
    TensorSpec,
    nni_space,
    require_outputs,
    sample,
    size,
)

MODELS = "tests.search_spaces.nni_models"
SIGNATURE = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(1, 8, 8)),), outputs=(TensorSpec(name="logits", shape=(10,)),)
)
MODULE = """
import nni
from torch import nn
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, MutableLinear

number = 3

class Own(ModelSpace):
    def __init__(self, width, num_classes):
        super().__init__()
        self.layer = LayerChoice([nn.Linear(64, width), nn.Linear(64, width, bias=False)], label="layer")
        self.head = MutableLinear(width, num_classes)

    def forward(self, inputs):
        return self.head(self.layer(inputs.flatten(1)))

def plain():
    return nn.Linear(64, 10)

def nothing():
    return 7

class Module(nn.Module):
    pass

class Broken(ModelSpace):
    def __init__(self):
        super().__init__()
        raise RuntimeError("no such file: weights")

class Twice(ModelSpace):
    def __init__(self):
        super().__init__()
        self.first = MutableLinear(64, nni.choice("width", [4, 8]))
        self.second = MutableLinear(4, nni.choice("width", [4, 16]))

class Unlabelled(ModelSpace):
    def __init__(self):
        super().__init__()
        self.layer = LayerChoice([nn.Identity(), nn.Tanh()])

class Impossible(ModelSpace):
    def __init__(self):
        super().__init__()
        self.layer = MutableLinear(64, nni.choice("width", [4, 10]), bias=nni.choice("bias", ["no", "yes"]))
        self.check = MutableLinear(nni.choice("wrong", [1, -1]), 10)

    def forward(self, inputs):
        return self.layer(inputs.flatten(1))

class Crossed(ModelSpace):
    '''Two labels within each other, at different places.'''
    def __init__(self, num_classes=10):
        super().__init__()
        def inner(label):
            return LayerChoice([nn.Identity(), nn.Tanh()], label=label)
        def outer(label, within):
            return LayerChoice([nn.Sequential(nn.Identity(), inner(within)), nn.Tanh()], label=label)
        self.parts = LayerChoice([outer("a", "b"), outer("b", "a")], label="which")
        self.head = nn.Linear(64, num_classes)

    def forward(self, inputs):
        return self.head(self.parts(inputs.flatten(1)))
"""


@pytest.fixture(autouse=True)
def _importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_model_spaces.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_model_spaces", None)


def made(name: str, **arguments: object) -> SearchSpace:
    return nni_space(factory=f"{MODELS}:{name}", arguments=arguments)


def built(space: SearchSpace, **values: object) -> nn.Module:
    return space.build(space.spec(values), SIGNATURE)  # type: ignore[arg-type] # of several kinds


def active(space: SearchSpace, **values: object) -> set[str]:
    return {choice.name for choice in space.choices if choice.when is None or choice.when(values)}  # type: ignore[arg-type]


def test_mutables_become_choices_of_their_labels() -> None:
    domains = {choice.name: choice.domain for choice in made("Convnet").choices}
    assert domains["width"] == Categorical(options=(4, 8, 16))
    assert domains["depth"] == Integer(low=1, high=3)
    assert domains["layer1"] == Categorical(options=("conv", "pool", "skip"))
    assert domains["merge"] == Categorical(options=(0, 1))
    assert domains["dropout"] == Real(low=0.0, high=0.5)


def test_what_is_nested_is_asked_only_where_it_is_reached() -> None:
    space = made("Convnet")
    always = {"width", "depth", "layer0", "merge", "dropout"}
    assert active(space, depth=1, layer0="skip") == always
    assert active(space, depth=2, layer0="conv", layer1="pool") == always | {"kernel0", "layer1"}
    # The third block is not reached, whatever is said of it.
    assert active(space, depth=2, layer0="pool", layer1="conv", layer2="conv") == always | {"layer1", "kernel1"}


def test_all_points_of_a_space_are_counted() -> None:
    narrowed = made("Convnet").narrowed({"dropout": Real(low=0.0, high=0.0)})
    blocks = 4  # conv with two kernels, pool, skip
    assert size(narrowed.choices) == 3 * 2 * (blocks + blocks**2 + blocks**3)


def test_values_picks_and_numbers_of_all_kinds() -> None:
    domains = {choice.name: choice.domain for choice in made("Unusual").choices}
    assert domains["net/shape"] == Categorical(options=(0, 1))
    assert [domains[f"net/any/{place}"] for place in range(3)] == [Categorical(options=(True, False))] * 3
    assert domains["net/two"] == Categorical(options=("0 + 1", "0 + 2", "1 + 2"))
    assert domains["net/even"] == Categorical(options=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5))
    assert domains["net/small"] == Real(low=0.01, high=0.1, log=True)
    scale = domains["net/scale"]
    assert isinstance(scale, Real)
    assert (scale.low, scale.high) == pytest.approx((-3.0, 3.0), abs=1e-3)
    assert domains["net/pairs"] == Categorical(options=(1, 2))
    assert domains["net/kernel"] == Categorical(options=("(1, 1)", "(3, 3)"))


@pytest.mark.parametrize("name", ["Convnet", "Constrained", "Unusual"])
def test_points_drawn_at_random_build_students(name: str) -> None:
    space, rng = made(name), np.random.default_rng(0)
    for _ in range(8):
        spec = space.spec(sample(space.choices, rng, forbids=space.forbids))
        student = space.build(spec, SIGNATURE)
        require_outputs(student, SIGNATURE)
        kinds = {type(module).__name__ for module in student.modules()}
        assert not kinds & {"LayerChoice", "InputChoice", "Repeat", "MutableConv2d", "MutableLinear"}


def test_freezing_gives_the_layers_that_the_values_name() -> None:
    student = built(
        made("Convnet"), width=8, depth=2, layer0="conv", kernel0=5, layer1="skip", merge=1, dropout=0.25
    ).eval()
    assert isinstance(student, nn.Module)
    assert [type(block).__name__ for block in student.body] == ["Sequential", "Identity"]
    assert student.body[0][0].kernel_size == (5, 5)
    assert student.head.in_features == student.stem.out_channels == 8
    assert student.dropout.p == 0.25
    assert student.merge.chosen == [1]


def test_values_that_are_no_plain_data_come_back_as_they_were() -> None:
    space = made("Unusual")
    values = {**sample(space.choices, np.random.default_rng(0), forbids=space.forbids), "net/kernel": "(3, 3)"}
    values |= {"net/two": "0 + 2", "net/any/0": True, "net/any/1": False, "net/any/2": True, "net/pairs": 2}
    student = built(space, **values)
    assert student.norm.kernel_size == (3, 3)
    assert student.two.chosen == [0, 2]
    assert student.any.chosen == [0, 2]
    assert len(student.doubled) == 4
    assert student.leaky.scale == values["net/scale"]


def test_a_broken_constraint_is_told_and_never_drawn() -> None:
    space = made("Constrained")
    assert space.forbids is not None
    assert space.forbids({"first": 8, "second": 8, "learning_rate": 0.1}) == ""
    message = r"{'first': 12, 'second': 8} is no point of the model space: \(first \+ second\) <= 16 is not satisfied"
    with pytest.raises(ValueError, match=message):
        built(space, first=12, second=8)
    rng = np.random.default_rng(0)
    drawn = {tuple(sample(space.choices, rng, forbids=space.forbids).values()) for _ in range(100)}
    assert drawn == {(4, 4), (4, 8), (4, 12), (8, 4), (8, 8), (12, 4)}


def test_an_input_choice_must_pick_something() -> None:
    space = made("Unusual")
    values = sample(space.choices, np.random.default_rng(0), forbids=space.forbids)
    with pytest.raises(ValueError, match="'net/any' picks no input, and its layer needs at least one"):
        built(space, **{**values, "net/any/0": False, "net/any/1": False, "net/any/2": False})


def test_where_nothing_is_forbidden_the_space_says_so() -> None:
    assert made("Convnet").forbids is None


def test_a_space_that_crossed_a_process_builds_the_same_weights() -> None:
    space = made("Convnet")
    again = pickle.loads(pickle.dumps(space))
    spec = space.spec(sample(space.choices, np.random.default_rng(1)))
    weights = []
    for each in (space, again):
        torch.manual_seed(0)
        weights.append(nn.utils.parameters_to_vector(each.build(spec, SIGNATURE).parameters()))
    assert torch.equal(*weights)


def test_classes_follow_from_the_data_unless_they_are_given() -> None:
    own = "own_model_spaces:Own"
    space = nni_space(factory=own, arguments={"width": 4})
    assert built(space, layer=0).head.out_features == 10
    assert built(nni_space(factory=own, arguments={"width": 4, "num_classes": 7}), layer=0).head.out_features == 7


def test_name_of_a_student_changes_with_factory_arguments_and_values() -> None:
    own = "own_model_spaces:Own"
    specs = [
        nni_space(factory=own, arguments={"width": width}).spec({"layer": layer})
        for width in (4, 5)
        for layer in (0, 1)
    ]
    assert len({spec.architecture_digest for spec in specs}) == 4


def test_labels_within_each_other_are_both_asked() -> None:
    space = nni_space(factory="own_model_spaces:Crossed")
    assert space.choices[0].name == "which"
    for values in ({"which": 0, "a": 0, "b": 1}, {"which": 1, "a": 1, "b": 0}):
        require_outputs(built(space, **{name: values[name] for name in active(space, **values)}), SIGNATURE)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Own", {}, r"cannot be called with arguments {}: .*'width'; its parameters are num_classes, width"),
        ("Own", {"wide": 3}, r"cannot be called with arguments {'wide': 3}: .*; its parameters are num_classes, width"),
        ("number", {}, "must be an NNI ModelSpace or a function, it is a int"),
        ("Owm", {}, "has no 'Owm'; did you mean one of Own"),
        ("plain", {}, "must return an .*ModelSpace, it returned a Linear; a module without mutables is one student"),
        ("nothing", {}, "must return an .*ModelSpace, it returned a int; give the import name of a ModelSpace"),
        (
            "Module",
            {},
            "is a class that is no .*ModelSpace; a module without mutables is one student: write `space: fa",
        ),
        ("Broken", {}, "called with arguments {}, raised RuntimeError: no such file: weights"),
        ("Twice", {}, "Mutables have the same label width but are different"),
        ("Unlabelled", {}, "raised ValueError: Label must be specified manually"),
    ],
)
def test_what_makes_no_space_is_told_before_it_is_built(name: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nni_space(factory=f"own_model_spaces:{name}", arguments=arguments)


def test_what_cannot_be_frozen_is_told_with_its_values() -> None:
    space = nni_space(factory="own_model_spaces:Impossible")
    with pytest.raises(ValueError, match=r"cannot be frozen at {'width': 4, 'bias': 'no', 'wrong': -1}: RuntimeError"):
        built(space, width=4, bias="no", wrong=-1)


def test_nni_is_imported_where_it_is_asked_for_and_stays_quiet() -> None:
    code = (
        "import sys, search_spaces, automl.samplers; assert 'nni' not in sys.modules\n"
        f"search_spaces.nni_space(factory='{MODELS}:Convnet')\n"
        "import logging; print(logging.getLogger('nni').handlers, logging.getLogger('nni').level == logging.WARNING)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("[] True", "")
    assert logging.getLogger("nni").handlers == []
