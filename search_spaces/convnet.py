"""Convolutional networks in stages, from a few hundred parameters to a few million.

A stem, stages of equal blocks, the average over all pixels, a linear head. Strided layers round sizes up, so any image
stays at least one pixel wide through any number of strides: a side of one pixel remains one.

Shape letters: B = batch, C = channels, H, W = pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from search_spaces.choices import Categorical, Choice, Integer, Values
from search_spaces.conditions import all_of, at_least, equals
from search_spaces.convnet_blocks import BLOCKS, BlockPlan, average_of_pixels, convolution, convolution_cost
from search_spaces.layer_costs import linear, output_size, total
from search_spaces.layers import ACTIVATIONS, head, initialise, known
from search_spaces.signature import ModelSignature
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec

STEM_KERNEL = 3


def convnet(
    *,
    max_widths: Sequence[int] = (32, 64, 96, 128),
    width_step: int = 4,
    max_depth: int = 3,
    kernels: Sequence[int] = (3, 5),
    blocks: Sequence[str] = ("plain", "separable", "inverted"),
    max_expansion: int = 6,
    se_ratios: Sequence[float] = (0.0, 0.125, 0.25),
    activations: Sequence[str] = ("relu", "hardswish"),
    max_stem_width: int = 32,
    stem_strides: Sequence[int] = (1, 2),
) -> SearchSpace:
    """Make a space of convolutional networks, for images (channels, height, width) of any size.

    Args:
        max_widths: Most channels of each stage; there are as many stages as entries, at most.
        width_step: Fewest channels, and the step between widths. ONNX Runtime works on channels by eights: 17 take
            longer than 24, while multiples of 4 lose little.
        max_depth: Most blocks of a stage.
        kernels: Odd sizes.
        blocks: Names in ``BLOCKS``.
        max_expansion: Most times that an inverted residual multiplies its channels, at least 2.
        se_ratios: Shares of the expanded channels that a squeeze-excitation keeps; 0 for none.
        activations: Names in ``ACTIVATIONS``.
        max_stem_width: Most channels of the stem, a multiple of ``width_step``.
        stem_strides: Strides of the stem; for photographs of 224 pixels, narrow it to 2 or 4.

    Returns:
        The space ``convnet``, with closed-form costs.

    Raises:
        ValueError: A name is unknown, a kernel is even, or a range is empty.
    """
    if even := [kernel for kernel in kernels if kernel % 2 == 0]:
        raise ValueError(f"kernels must be odd, got {even}")
    kinds = known(BLOCKS, blocks, what="block")
    activations = known(ACTIVATIONS, activations, what="activation")
    choices = [
        Choice(name="activation", domain=Categorical(options=activations)),
        Choice(name="stem.width", domain=Integer(low=width_step, high=max_stem_width, step=width_step)),
        Choice(name="stem.stride", domain=Categorical(options=tuple(stem_strides))),
        Choice(name="stages", domain=Integer(low=1, high=len(max_widths))),
    ]
    for number, max_width in enumerate(max_widths, start=1):
        stage = _Stage(number=number)
        width = Integer(low=width_step, high=max_width, step=width_step)
        choices += stage.choices(width, max_depth=max_depth, kernels=tuple(kernels), blocks=kinds)
        if "inverted" in kinds:
            choices += stage.inverted_choices(max_expansion=max_expansion, se_ratios=tuple(se_ratios))
    return SearchSpace(name="convnet", choices=tuple(choices), build=build_convnet, cost=convnet_cost)


@dataclass(frozen=True, kw_only=True)
class _Stage:
    number: int

    def name(self, field: str) -> str:
        return f"stage{self.number}.{field}"

    def choices(
        self, width: Integer, *, max_depth: int, kernels: tuple[int, ...], blocks: tuple[str, ...]
    ) -> list[Choice]:
        """List what every block has; where the stride goes is asked only where the answers differ."""
        exists = None if self.number == 1 else at_least("stages", self.number)
        strided = equals(self.name("stride"), 2)
        deep = at_least(self.name("depth"), 2)
        by_block = equals(self.name("stride_by"), "block")
        by, place = Categorical(options=("block", "pool")), Categorical(options=("first", "last"))
        return [
            Choice(name=self.name("depth"), domain=Integer(low=1, high=max_depth), when=exists),
            Choice(name=self.name("width"), domain=width, when=exists),
            Choice(name=self.name("kernel"), domain=Categorical(options=kernels), when=exists),
            Choice(name=self.name("stride"), domain=Categorical(options=(1, 2)), when=exists),
            Choice(name=self.name("stride_by"), domain=by, when=strided),
            Choice(name=self.name("stride_place"), domain=place, when=all_of(deep, by_block)),
            Choice(name=self.name("block"), domain=Categorical(options=blocks), when=exists),
        ]

    def inverted_choices(self, *, max_expansion: int, se_ratios: tuple[float, ...]) -> list[Choice]:
        inverted = equals(self.name("block"), "inverted")
        expansion, se_ratio = Integer(low=2, high=max_expansion), Categorical(options=se_ratios)
        return [
            Choice(name=self.name("expansion"), domain=expansion, when=inverted),
            Choice(name=self.name("se_ratio"), domain=se_ratio, when=inverted),
        ]


def build_convnet(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Build an untrained network; PyTorch's generator decides its weights.

    Raises:
        ValueError: The input is no image.
    """
    model = ConvNet(spec.values, _image_shape(signature), signature.sole_output_shape)
    initialise(model)
    return model


def convnet_cost(spec: StudentSpec, signature: ModelSignature) -> Cost:
    """Give parameters and MACs of what ``build_convnet`` builds.

    Raises:
        ValueError: The input is no image.
    """
    values = spec.values
    channels, height, width = _image_shape(signature)
    stem_width, stride = int(values["stem.width"]), int(values["stem.stride"])
    pixels = output_size(height, stride) * output_size(width, stride)
    parts = [convolution_cost(channels, stem_width, kernel=STEM_KERNEL, out_pixels=pixels)]
    last_width = stem_width
    for stage in _plan(values, height, width):
        parts += [BLOCKS[stage.block].cost(plan) for plan in stage.plans]
        last_width = stage.plans[-1].out_channels
    return total(*parts, linear(last_width, prod(signature.sole_output_shape)))


class ConvNet(nn.Module):
    """Stem, stages, average over pixels, head."""

    def __init__(self, values: Values, image_shape: tuple[int, int, int], output_shape: tuple[int, ...]) -> None:
        """Make the layers.

        Args:
            values: A point of the space.
            image_shape: C, H and W of the input.
            output_shape: After the batch.
        """
        super().__init__()
        channels, height, width = image_shape
        stem_width = int(values["stem.width"])
        self.stem = convolution(channels, stem_width, kernel=STEM_KERNEL, stride=int(values["stem.stride"]))
        self.stem.append(ACTIVATIONS[str(values["activation"])]())
        self.stages = nn.ModuleList()
        for stage in _plan(values, height, width):
            layers: list[nn.Module] = [nn.MaxPool2d(3, stride=2, padding=1)] if stage.pooled else []
            self.stages.append(nn.Sequential(*layers, *(BLOCKS[stage.block].build(plan) for plan in stage.plans)))
            last = stage.plans[-1]
        self.pool = average_of_pixels(last.out_size)
        self.head = head(last.out_channels, output_shape)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Turn images into outputs of the signature's shape."""
        features_BCHW = self.stem(image_BCHW)
        for stage in self.stages:
            features_BCHW = stage(features_BCHW)
        output: Tensor = self.head(self.pool(features_BCHW).flatten(1))
        return output


@dataclass(frozen=True, kw_only=True, slots=True)
class _StagePlan:
    block: str
    pooled: bool
    plans: list[BlockPlan]


def _plan(values: Values, height: int, width: int) -> Iterator[_StagePlan]:
    """Work out every block, for the building and the cost alike, from the size of the image before the stem."""
    channels, stride = int(values["stem.width"]), int(values["stem.stride"])
    height, width = output_size(height, stride), output_size(width, stride)
    activation = str(values["activation"])
    for number in range(1, int(values["stages"]) + 1):
        stage = _Stage(number=number)
        depth = int(values[stage.name("depth")])
        pooled = values.get(stage.name("stride_by")) == "pool"
        if pooled:
            height, width = output_size(height, 2), output_size(width, 2)
        # The block that carries the stride; none does where the stage keeps its size or pools.
        strided = depth - 1 if values.get(stage.name("stride_place")) == "last" else 0
        plans = []
        for index in range(depth):
            stride = int(values[stage.name("stride")]) if index == strided and not pooled else 1
            plan = BlockPlan(
                in_channels=channels,
                out_channels=int(values[stage.name("width")]),
                kernel=int(values[stage.name("kernel")]),
                stride=stride,
                activation=activation,
                height=height,
                width=width,
                expansion=int(values.get(stage.name("expansion"), 1)),
                se_ratio=float(values.get(stage.name("se_ratio"), 0.0)),
            )
            plans.append(plan)
            channels = plan.out_channels
            height, width = plan.out_size
        yield _StagePlan(block=str(values[stage.name("block")]), pooled=pooled, plans=plans)


def _image_shape(signature: ModelSignature) -> tuple[int, int, int]:
    shape = signature.sole_input_shape
    if len(shape) != 3:
        raise ValueError(f"a convnet needs images (channels, height, width), got inputs of shape {shape}; use mlp")
    return shape[0], shape[1], shape[2]
