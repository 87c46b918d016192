import pytest
import torch
from torch import nn

from search_spaces.layers import ACTIVATIONS, head, initialise, known


def test_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown activation 'rellu'; known are hardswish, leaky_relu, relu, relu6, silu",
    ):
        known(ACTIVATIONS, ["relu", "rellu"], what="activation")
    assert known(ACTIVATIONS, ["silu", "relu"], what="activation") == ("silu", "relu")


@pytest.mark.parametrize("shape", [(10,), (3, 4), (1, 2, 5)])
def test_head_gives_the_output_shape(shape: tuple[int, ...]) -> None:
    assert head(6, shape)(torch.zeros(2, 6)).shape == (2, *shape)


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(128, 128), nn.Conv2d(32, 32, 3, padding=1, padding_mode="circular"), nn.Conv2d(64, 64, 5, groups=64)],
    ids=["linear", "convolution", "depthwise"],
)
def test_a_rectified_layer_keeps_the_size_of_activations(layer: nn.Module) -> None:
    torch.manual_seed(0)
    initialise(layer)
    shape = (512, 128) if isinstance(layer, nn.Linear) else (32, int(layer.in_channels), 12, 12)  # type: ignore[arg-type]
    activation = torch.randn(shape).relu()
    after = layer(activation).relu()
    assert 0.6 < after.square().mean() / activation.square().mean() < 1.5


def test_biases_start_at_zero_and_normalisations_as_the_identity() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4), nn.LayerNorm(4))
    initialise(model)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif name.startswith(("1.", "4.")):
            assert (parameter == 1).all()
        else:
            assert parameter.std() > 0.1
