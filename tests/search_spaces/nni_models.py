"""Model spaces as users of NNI have them."""

from collections import OrderedDict

import nni
import torch
from nni.mutable import ExpressionConstraint, ensure_frozen
from nni.nas.nn.pytorch import (
    InputChoice,
    LayerChoice,
    ModelSpace,
    MutableBatchNorm2d,
    MutableConv2d,
    MutableDropout,
    MutableLinear,
    ParametrizedModule,
    Repeat,
)
from torch import Tensor, nn


def rectified(inputs: int, outputs: object, kernel: object) -> nn.Module:
    return nn.Sequential(MutableConv2d(inputs, outputs, kernel, padding="same"), nn.ReLU())


class Convnet(ModelSpace):
    """Everything that NNI's spaces are usually made of."""

    def __init__(self, in_channels: int = 1, num_classes: int = 10) -> None:
        super().__init__()
        width = nni.choice("width", [4, 8, 16])
        self.stem = MutableConv2d(in_channels, width, 3, padding=1)
        self.norm = MutableBatchNorm2d(width)
        self.body = Repeat(lambda index: self.block(index, width), (1, 3), label="depth")
        self.merge = InputChoice(2, n_chosen=1, label="merge")
        self.dropout = MutableDropout(nni.uniform("dropout", 0.0, 0.5))
        self.head = MutableLinear(width, num_classes)

    @staticmethod
    def block(index: int, width: object) -> LayerChoice:
        kernel = nni.choice(f"kernel{index}", [3, 5])
        candidates = OrderedDict(conv=rectified(width, width, kernel), pool=nn.AvgPool2d(3, 1, 1), skip=nn.Identity())
        return LayerChoice(candidates, label=f"layer{index}")

    def forward(self, image_BCHW: Tensor) -> Tensor:
        stem = self.norm(self.stem(image_BCHW)).relu()
        merged = self.merge([stem + self.body(stem), self.body(stem)])
        return self.head(self.dropout(merged.mean((2, 3))))


class Constrained(ModelSpace):
    """Mutables that the space itself holds, under a constraint."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        first = self.add_mutable(nni.choice("first", [4, 8, 12]))
        second = self.add_mutable(nni.choice("second", [4, 8, 12]))
        self.add_mutable(ExpressionConstraint(first + second <= 16, label="small"))
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, ensure_frozen(first)),
            nn.ReLU(),
            nn.Linear(ensure_frozen(first), ensure_frozen(second)),
            nn.ReLU(),
            nn.Linear(ensure_frozen(second), num_classes),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


class Unusual(ModelSpace, label_prefix="net"):
    """Values, picks and numbers of all kinds."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.shape = LayerChoice([nn.Identity(), nn.Tanh()], label="shape")
        self.any = InputChoice(3, n_chosen=None, label="any")
        self.two = InputChoice(3, n_chosen=2, reduction="mean", label="two")
        self.dropouts = nn.Sequential(
            MutableDropout(nni.quniform("even", 0.0, 0.5, 0.1)),
            MutableDropout(nni.loguniform("small", 0.01, 0.1)),
        )
        self.scale = nni.normal("scale", 0.0, 1.0)
        self.doubled = Repeat(lambda index: MutableLinear(16, 16), nni.choice("pairs", [1, 2]) * 2)
        self.norm = MutableConv2d(1, 1, nni.choice("kernel", [(1, 1), (3, 3)]), padding="same")
        self.leaky = MutableLeaky(self.scale)
        self.head = nn.Linear(16, num_classes)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        hidden = self.shape(self.pool(self.norm(image_BCHW))).flatten(1)
        inputs = [hidden, -hidden, 2 * hidden]
        return self.head(self.leaky(self.doubled(self.dropouts(self.any(inputs) + self.two(inputs)))))


class Scaled(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(inputs, self.scale)


class MutableLeaky(ParametrizedModule, Scaled, wraps=Scaled):
    pass
