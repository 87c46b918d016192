"""Multilayer perceptrons over flattened inputs, from a linear map's size upwards.

Shape letters: B = batch, D = numbers of an input, flattened.
"""

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from search_spaces.choices import Categorical, Choice, Integer, Values
from search_spaces.conditions import at_least
from search_spaces.layer_costs import linear, normalisation, total
from search_spaces.layers import ACTIVATIONS, head, initialise, known
from search_spaces.signature import ModelSignature
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec

NORMALISATIONS = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
"""What stands between a linear layer and its activation."""


def mlp(
    *,
    max_depth: int = 4,
    min_width: int = 4,
    max_width: int = 512,
    activations: Sequence[str] = ("relu", "hardswish"),
    normalisations: Sequence[str] = ("none", "batch", "layer"),
    shortcuts: Sequence[bool] = (False, True),
    dropouts: Sequence[float] = (0.0, 0.1, 0.3),
) -> SearchSpace:
    """Make a space of multilayer perceptrons, for inputs of any fixed shape.

    Args:
        max_depth: Most hidden layers, at least 1.
        min_width: Fewest units of a hidden layer.
        max_width: Most units of a hidden layer; widths are drawn by magnitude.
        activations: Names in ``ACTIVATIONS``.
        normalisations: Names in ``NORMALISATIONS``.
        shortcuts: Whether a linear map from the input is added to the output: wide and deep (Cheng et al., 2016,
            https://arxiv.org/abs/1606.07792).
        dropouts: Probabilities of dropping a hidden unit in training.

    Returns:
        The space ``mlp``, with closed-form costs.

    Raises:
        ValueError: A name is unknown, or a range is empty.
    """
    choices = [
        Choice(name="depth", domain=Integer(low=1, high=max_depth)),
        Choice(name="activation", domain=Categorical(options=known(ACTIVATIONS, activations, what="activation"))),
        Choice(
            name="normalisation",
            domain=Categorical(options=known(NORMALISATIONS, normalisations, what="normalisation")),
        ),
        Choice(name="shortcut", domain=Categorical(options=tuple(shortcuts))),
        Choice(name="dropout", domain=Categorical(options=tuple(dropouts))),
    ]
    width = Integer(low=min_width, high=max_width, log=True)
    for layer in range(1, max_depth + 1):
        exists = None if layer == 1 else at_least("depth", layer)
        choices += [Choice(name=f"layer{layer}.width", domain=width, when=exists)]
    return SearchSpace(name="mlp", choices=tuple(choices), build=build_mlp, cost=mlp_cost)


def build_mlp(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Build an untrained perceptron; PyTorch's generator decides its weights."""
    model = Perceptron(spec.values, prod(signature.sole_input_shape), signature.sole_output_shape)
    initialise(model)
    return model


def mlp_cost(spec: StudentSpec, signature: ModelSignature) -> Cost:
    """Give parameters and MACs of what ``build_mlp`` builds."""
    values = spec.values
    num_inputs, num_outputs = prod(signature.sole_input_shape), prod(signature.sole_output_shape)
    widths = _widths(values)
    parts = [linear(before, after) for before, after in zip([num_inputs, *widths], [*widths, num_outputs], strict=True)]
    if values["normalisation"] != "none":
        parts.append(normalisation(sum(widths)))
    if values["shortcut"]:
        parts.append(linear(num_inputs, num_outputs, bias=False))
    return total(*parts)


class Perceptron(nn.Module):
    """Hidden layers, each linear, normalised, activated and dropped out; then a linear head."""

    def __init__(self, values: Values, num_inputs: int, output_shape: tuple[int, ...]) -> None:
        """Make the layers.

        Args:
            values: A point of the space.
            num_inputs: D.
            output_shape: After the batch.
        """
        super().__init__()
        normalise = NORMALISATIONS[str(values["normalisation"])]
        activate = ACTIVATIONS[str(values["activation"])]
        self.layers = nn.ModuleList()
        before = num_inputs
        for width in _widths(values):
            self.layers.append(
                nn.Sequential(
                    nn.Linear(before, width), normalise(width), activate(), nn.Dropout(float(values["dropout"]))
                )
            )
            before = width
        self.head = head(before, output_shape)
        self.shortcut = nn.Linear(num_inputs, prod(output_shape), bias=False) if values["shortcut"] else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn inputs (B, ...) into outputs of the signature's shape."""
        flat_BD = inputs.flatten(1)
        hidden = flat_BD
        for layer in self.layers:
            hidden = layer(hidden)
        output: Tensor = self.head(hidden)
        if self.shortcut is not None:
            output = output + self.shortcut(flat_BD).reshape(output.shape)
        return output


def _widths(values: Values) -> list[int]:
    return [int(values[f"layer{layer}.width"]) for layer in range(1, int(values["depth"]) + 1)]
