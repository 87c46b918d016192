import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search_spaces import Cost, ModelSignature, TensorSpec, convnet, sample, size
from search_spaces.choices import Value
from search_spaces.convnet_blocks import BLOCKS, BlockPlan

STRIDE_PLACES = {
    "none": {"stage1.stride": 1},
    "pool": {"stage1.stride": 2, "stage1.stride_by": "pool"},
    "first": {"stage1.stride": 2, "stage1.stride_by": "block", "stage1.stride_place": "first"},
    "last": {"stage1.stride": 2, "stage1.stride_by": "block", "stage1.stride_place": "last"},
}


def images(*shape: int, num_classes: int = 10) -> ModelSignature:
    return ModelSignature(
        inputs=(TensorSpec(name="input", shape=shape),), outputs=(TensorSpec(name="logits", shape=(num_classes,)),)
    )


def point(**changes: Value) -> dict[str, Value]:
    """Make a network of one stage; names of choices carry ``__`` for their dot."""
    values: dict[str, Value] = {
        "activation": "relu",
        "stem.width": 8,
        "stem.stride": 1,
        "stages": 1,
        "stage1.depth": 3,
        "stage1.width": 16,
        "stage1.kernel": 3,
        "stage1.stride": 1,
        "stage1.block": "plain",
    }
    return values | {name.replace("__", "."): value for name, value in changes.items()}


def test_cost_by_hand() -> None:
    space = convnet()
    assert space.cost is not None
    values = point(stage1__depth=1, stage1__block="inverted", stage1__expansion=4, stage1__se_ratio=0.25)
    stem, expand, depthwise, project = 8 * 9, 8 * 32, 32 * 9, 32 * 16
    gate = 2 * 32 * 8
    assert space.cost(space.spec(values), images(1, 8, 8)) == Cost(
        params=stem + 16 + expand + 64 + depthwise + 64 + project + 32 + gate + 8 + 32 + 170,
        macs=64 * (stem + expand + depthwise + project) + gate + 160,
    )


@pytest.mark.parametrize(
    ("place", "sizes"), [("none", [8, 8, 8]), ("pool", [4, 4, 4]), ("first", [4, 4, 4]), ("last", [8, 8, 4])]
)
def test_stride_goes_where_it_is_asked_for(place: str, sizes: list[int]) -> None:
    space = convnet()
    model = space.build(space.spec(point() | STRIDE_PLACES[place]), images(1, 8, 8))
    seen: list[int] = []

    def note(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        del module, args
        seen.append(output.shape[-1])

    for block in model.get_submodule("stages.0").children():
        if not isinstance(block, nn.MaxPool2d):
            block.register_forward_hook(note)
    model(torch.zeros(2, 1, 8, 8))
    assert seen == sizes


def test_choices_that_would_change_nothing_are_not_asked() -> None:
    space = convnet()
    with pytest.raises(ValueError, match="stride_place"):  # The first block is the last.
        space.spec(point(stage1__depth=1) | STRIDE_PLACES["first"])
    with pytest.raises(ValueError, match="expansion"):
        space.spec(point(stage1__expansion=4))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 9), (3, 33, 1)])
@pytest.mark.parametrize("stride_by", ["block", "pool"])
def test_images_never_shrink_away(shape: tuple[int, ...], stride_by: str) -> None:
    space = convnet(stem_strides=(4,))
    values: dict[str, Value] = {"activation": "relu", "stem.width": 4, "stem.stride": 4, "stages": 4}
    for number, block in enumerate(("plain", "separable", "inverted", "plain"), start=1):
        stage = {"depth": 1, "width": 4, "kernel": 5, "stride": 2, "stride_by": stride_by, "block": block}
        stage |= {"expansion": 2, "se_ratio": 0.25} if block == "inverted" else {}
        values |= {f"stage{number}.{name}": value for name, value in stage.items()}
    model = space.build(space.spec(values), images(*shape))
    assert model(torch.zeros(2, *shape)).shape == (2, 10)


def test_it_takes_photographs() -> None:
    space = convnet(max_widths=(4, 4, 4), max_stem_width=4, stem_strides=(4,), max_depth=1)
    spec = space.spec(sample(space.choices, np.random.default_rng(1)))
    model = space.build(spec, images(3, 224, 224, num_classes=1000)).eval()
    assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks_add_their_input_where_shapes_agree(kind: str) -> None:
    def output(stride: int, out_channels: int) -> Tensor:
        plan = BlockPlan(
            in_channels=4,
            out_channels=out_channels,
            kernel=3,
            stride=stride,
            activation="relu",
            height=6,
            width=6,
            expansion=2,
            se_ratio=0.25,
        )
        block = BLOCKS[kind].build(plan).eval()
        for parameter in block.parameters():
            nn.init.zeros_(parameter)  # All that is left is what goes round the layers.
        result: Tensor = block(torch.ones(1, 4, 6, 6))
        return result

    assert torch.equal(output(stride=1, out_channels=4), torch.ones(1, 4, 6, 6))
    assert not output(stride=2, out_channels=4).any()
    assert not output(stride=1, out_channels=8).any()


def test_squeeze_excitation_scales_whole_channels_between_0_and_1() -> None:
    plan = BlockPlan(
        in_channels=4,
        out_channels=4,
        kernel=3,
        stride=1,
        activation="relu",
        height=5,
        width=5,
        expansion=2,
        se_ratio=0.25,
    )
    torch.manual_seed(0)
    gate = BLOCKS["inverted"].build(plan).get_submodule("gate")
    image_BCHW = torch.rand(2, 8, 5, 5) + 0.1
    factor_BCHW = gate(image_BCHW) / image_BCHW
    assert ((factor_BCHW > 0) & (factor_BCHW < 1)).all()
    torch.testing.assert_close(factor_BCHW, factor_BCHW[:, :, :1, :1].expand_as(factor_BCHW))


def test_costs_run_from_hundreds_to_millions_of_parameters() -> None:
    space = convnet()
    assert space.cost is not None

    def extreme(low: bool) -> int:
        values: dict[str, Value] = point(stem__width=4, stage1__depth=1, stage1__width=4, stage1__block="separable")
        if not low:
            values = point(stem__width=32, stages=4)
            for number, width in enumerate((32, 64, 96, 128), start=1):
                block = {"depth": 3, "width": width, "kernel": 5, "stride": 1, "block": "plain"}
                values |= {f"stage{number}.{name}": value for name, value in block.items()}
        assert space.cost is not None
        return space.cost(space.spec(values), images(1, 8, 8)).params

    assert extreme(low=True) < 300
    assert extreme(low=False) > 2_000_000


def test_vectors_are_refused_with_what_to_use() -> None:
    space = convnet()
    assert space.cost is not None
    for function in (space.build, space.cost):
        with pytest.raises(ValueError, match=r"needs images \(channels, height, width\), got .*\(64,\); use mlp"):
            function(space.spec(point()), images(64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": (3, 4)}, r"kernels must be odd, got \[4\]"),
        ({"blocks": ("dense",)}, r"unknown block 'dense'; known are inverted, plain, separable"),
        ({"activations": ("gelu",)}, "unknown activation 'gelu'"),
        ({"max_widths": (30,)}, "whole number of steps"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, tuple[Value, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convnet(**options)  # type: ignore[arg-type]


def test_options_make_the_space() -> None:
    space = convnet(max_widths=[8], max_depth=1, blocks=["plain"], kernels=[3], activations=["relu6"], stem_strides=[1])
    # Width of the stem, width of the stage, and no stride or one by block or by pooling.
    assert size(space.choices) == 8 * 2 * 3
    assert not any("expansion" in choice.name for choice in space.choices)
