import pytest
import torch
from torch import nn

from search_spaces import Cost, ModelSignature, TensorSpec, mlp, size
from search_spaces.choices import Value

DIGITS = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(1, 8, 8)),), outputs=(TensorSpec(name="logits", shape=(10,)),)
)


def point(**changes: Value) -> dict[str, Value]:
    values: dict[str, Value] = {
        "depth": 2,
        "activation": "relu",
        "normalisation": "none",
        "shortcut": False,
        "dropout": 0.0,
        "layer1.width": 16,
        "layer2.width": 8,
    }
    return values | changes


def test_cost_by_hand() -> None:
    space = mlp()
    assert space.cost is not None
    assert space.cost(space.spec(point()), DIGITS) == Cost(
        params=(64 * 16 + 16) + (16 * 8 + 8) + (8 * 10 + 10), macs=64 * 16 + 16 * 8 + 8 * 10
    )
    # A normalisation adds two parameters a unit, a shortcut a matrix from input to output.
    assert space.cost(space.spec(point(normalisation="batch", shortcut=True)), DIGITS) == Cost(
        params=1040 + 136 + 90 + 2 * (16 + 8) + 640, macs=1024 + 128 + 80 + 640
    )


def test_number_of_points_by_hand() -> None:
    space = mlp(max_depth=2, min_width=4, max_width=6)
    assert size(space.choices) == 2 * 3 * 2 * 3 * (3 + 3 * 3)


def test_without_activations_it_would_be_the_product_of_its_layers() -> None:
    torch.manual_seed(0)
    space = mlp(activations=("relu",))
    model = space.build(space.spec(point()), DIGITS)
    inputs = torch.randn(4, 1, 8, 8)
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    hidden = inputs.reshape(4, 64)
    for layer in linears[:-1]:
        hidden = (hidden @ layer.weight.T + layer.bias).relu()
    torch.testing.assert_close(model(inputs), hidden @ linears[-1].weight.T + linears[-1].bias)


def test_shortcut_adds_a_linear_map_of_the_input() -> None:
    torch.manual_seed(0)
    space = mlp()
    model = space.build(space.spec(point(shortcut=True)), DIGITS)
    inputs = torch.randn(4, 1, 8, 8)
    with_shortcut = model(inputs)
    matrix_CD = model.get_submodule("shortcut").get_parameter("weight").clone()
    nn.init.zeros_(model.get_submodule("shortcut").get_parameter("weight"))
    torch.testing.assert_close(with_shortcut - model(inputs), inputs.flatten(1) @ matrix_CD.T)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    space = mlp()
    model = space.build(space.spec(point(dropout=0.3)), DIGITS)
    inputs = torch.randn(4, 1, 8, 8)
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_options_make_the_space() -> None:
    space = mlp(max_depth=1, activations=["silu"], normalisations=["layer"], shortcuts=[False], dropouts=[0.5])
    assert [choice.name for choice in space.choices if choice.when is None][-1] == "layer1.width"
    assert size(space.choices) == 512 - 4 + 1


def test_unknown_normalisation_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown normalisation 'group'; known are batch, layer, none"):
        mlp(normalisations=("group",))


def test_inputs_of_varying_size_are_refused() -> None:
    texts = ModelSignature(inputs=(TensorSpec(name="input", shape=(None,)),), outputs=DIGITS.outputs)
    space = mlp()
    assert space.cost is not None
    for function in (space.build, space.cost):
        with pytest.raises(ValueError, match="one input of fixed size"):
            function(space.spec(point()), texts)
