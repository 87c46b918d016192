"""Features by name, held against hooks by hand and against what modules compute on their own."""

import copy
import pickle
import warnings
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from teachers.stages import find_stages
from teachers.taps import Taps, available, pooled, unaliased

B = 2


class Block(nn.Module):
    """A residual block that writes in place, as those of libraries do."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, stride=stride, padding=1)
        self.bn = nn.BatchNorm2d(width)
        self.short = nn.Conv2d(channels, width, 1, stride=stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn(self.conv(x))
        out += self.short(x)
        return self.relu(out)


class ResNet(nn.Module):
    """Layers by number, a pool and a head, as torchvision has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        widths = [4, 4, 6, 8]
        for number, (before, width) in enumerate(pairwise(widths), start=1):
            setattr(self, f"layer{number}", nn.Sequential(Block(before, width, 2), Block(width, width, 1)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(self.pool(x).flatten(1))


class Trunk(nn.Module):
    """A list of the given name, whose modules are run one after the other."""

    def __init__(self, name: str, *members: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.ModuleList(members))
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        for member in getattr(self, self.name):
            x = member(x)
        return self.head(x)


class Wrapped(nn.Module):
    """A network in a network."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x / 2)


def images(seed: int = 0, size: int = 16) -> Tensor:
    return torch.randn(B, 3, size, size, generator=torch.Generator().manual_seed(seed))


def vectors() -> Tensor:
    return torch.randn(B, 5, generator=torch.Generator().manual_seed(0))


def dense(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5 if width == 7 else width - 1, width), nn.ReLU())


def plain_conv() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip


def mlp() -> nn.Sequential:
    layers = [nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 3)]
    return nn.Sequential(*layers)


STAGES = {
    "resnet": (ResNet, images, ["layer1", "layer2", "layer3"]),
    "resnet inside": (lambda: Wrapped(ResNet()), images, ["body.layer1", "body.layer2", "body.layer3"]),
    "stages": (lambda: Wrapped(Trunk("stages", dense(7), dense(8), head=nn.Linear(8, 3))), vectors,
               ["body.stages.0", "body.stages.1"]),
    "blocks two below": (lambda: Wrapped(Wrapped(Trunk("blocks", dense(7), head=nn.Linear(7, 3)))), vectors,
                         ["body.body.blocks.0"]),
    "list of plain layers": (lambda: Trunk("steps", nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 7), head=nn.Linear(7, 2)),
                             vectors, ["steps.1", "steps.2"]),
    "features of plain layers": (lambda: Trunk("features", *plain_conv()[:7], head=plain_conv()[7:]), images,
                                 ["features.3", "features.6"]),
    "sequential of convolutions": (plain_conv, images, ["3", "6"]),
    "sequential of vectors": (mlp, vectors, ["2", "5"]),
    "sequential with its head, inside": (lambda: Wrapped(mlp()), vectors, ["body.2", "body.5"]),
    "encoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 2),
                lambda: torch.randn(B, 4, 6), ["layers.0", "layers.1"]),
    "head alone": (lambda: nn.Linear(5, 3), vectors, []),
}  # fmt: skip


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_the_modules_that_one_would_name(name):
    make, inputs, paths = STAGES[name]
    model, x = make().eval(), inputs()
    found = available(model, (x,))
    assert {key: found[f"stage{number}"] for number, key in enumerate(paths, start=1)} == {
        path: found[path] for path in paths
    }
    assert f"stage{len(paths) + 1}" not in found
    if paths:
        features = Taps(model, [*paths, "last", *(f"stage{k + 1}" for k in range(len(paths)))], example=(x,))(
            x
        ).features
        assert torch.equal(features["last"], features[paths[-1]])
        assert all(torch.equal(features[f"stage{k + 1}"], features[path]) for k, path in enumerate(paths))


def by_hand(model: nn.Module, path: str, x: Tensor) -> Tensor:
    kept = []
    hook = model.get_submodule(path).register_forward_hook(lambda _module, _inputs, output: kept.append(output.clone()))
    with torch.no_grad():
        model(x)
    hook.remove()
    return kept[-1]


@pytest.mark.parametrize("path", ["conv1", "layer2.0.conv", "layer2.0.bn", "layer3", "layer3.1.relu", "pool", "fc"])
def test_a_feature_is_what_its_module_gave_even_if_it_is_written_over_later(path):
    model, x = ResNet().eval(), images()
    answer = Taps(model, [path], example=(images(1)[:1],))(x)
    assert torch.equal(answer.features[path], by_hand(model, path, x))
    assert torch.equal(answer.logits, model(x))


def test_gradients_flow_through_features_in_training_mode():
    model, x = ResNet().train(), images()
    taps = Taps(model, ["layer2.0.bn", "stage3.pooled", "inputs"], example=(x,))
    assert model.training
    assert model.layer1[0].bn.num_batches_tracked == 0  # The example run left no trace.
    features = taps(x).features
    assert model.layer1[0].bn.num_batches_tracked == 1
    assert features["inputs"] is x
    (features["layer2.0.bn"].square().mean() + features["stage3.pooled"].square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.layer1.parameters() if p.ndim > 1)
    assert model.fc.weight.grad is None
    with torch.no_grad():
        assert not taps(x).features["layer2.0.bn"].requires_grad


def test_gradients_are_those_of_hooks_by_hand():
    first, second, x = ResNet(), ResNet(), images()
    Taps(first, ["layer2.0.bn"], example=(x,))(x).features["layer2.0.bn"].sum().backward()
    kept = []
    second.layer2[0].bn.register_forward_hook(lambda _module, _inputs, output: kept.append(output.clone()))
    second(x)
    kept[0].sum().backward()
    torch.testing.assert_close(first.conv1.weight.grad, second.conv1.weight.grad)


def test_random_numbers_are_drawn_as_without_taps():
    model, x = mlp().train(), vectors()
    torch.manual_seed(4)
    expected = model(x)
    torch.manual_seed(4)
    assert torch.equal(Taps(model, ["last"], example=(x,))(x).logits, expected)


def test_the_module_can_be_copied_stored_and_exported_and_has_no_hooks_after_a_call():
    model, x = ResNet().eval(), images()
    keys = list(model.state_dict())
    taps = Taps(model, ["stage1"], example=(x,))
    taps(x)
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())
    assert list(model.state_dict()) == keys
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), model(x))
    for other in (copy.deepcopy(taps), pickle.loads(pickle.dumps(taps))):
        assert torch.equal(other(x).features["stage1"], taps(x).features["stage1"])
    assert len(torch.export.export(model, (x,)).graph.nodes)


def test_hooks_are_gone_after_a_call_that_failed():
    model = ResNet().train()
    taps = Taps(model, ["stage1"], example=(images(),))
    with pytest.raises(RuntimeError, match="channels"):
        taps(torch.zeros(B, 1, 16, 16))
    with pytest.raises(RuntimeError, match="channels"):
        available(model, (torch.zeros(B, 1, 16, 16),))
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())
    assert all(each.training for each in model.modules())


def test_pooled_takes_the_mean_over_pixels_or_tokens():
    image, tokens = torch.randn(B, 3, 4, 5), torch.randn(B, 6, 7)
    torch.testing.assert_close(pooled(image), torch.einsum("bchw->bc", image) / 20)
    torch.testing.assert_close(pooled(tokens), torch.einsum("btd->bd", tokens) / 6)
    assert pooled(vectors()) is not None and torch.equal(pooled(vectors()), vectors())
    with pytest.raises(ValueError, match=r"pooled is for images, tokens and vectors, this feature has shape \(2,\)"):
        pooled(torch.zeros(2))


class Several(nn.Module):
    """Gives a record and a tuple, and runs one module twice, which it also has under a second name."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(5, 5)
        self.again = self.twice
        self.lstm = nn.LSTM(5, 4, batch_first=True)
        self.idle = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        output, _ = self.lstm(self.twice(self.twice(x))[:, None])
        return {"loss": None, "answer": output[:, 0]}


def test_first_tensors_last_calls_and_second_names():
    model, x = Several(), vectors()
    answer = Taps(model, ["twice", "again", "lstm", "lstm.pooled"], example=(x,))(x)
    twice = model.twice(model.twice(x))
    assert torch.equal(answer.features["twice"], twice)
    assert torch.equal(answer.features["again"], twice)
    torch.testing.assert_close(answer.features["lstm"], model.lstm(twice[:, None])[0])
    torch.testing.assert_close(answer.features["lstm.pooled"], answer.features["lstm"][:, 0])
    torch.testing.assert_close(answer.logits, answer.features["lstm"][:, 0])
    with pytest.raises(ValueError, match=r"module 'idle' is there, but gave no tensor when the network ran"):
        Taps(model, ["idle"], example=(x,))


def test_aliases_take_precedence_and_keep_suffixes():
    model, x = ResNet().eval(), images()
    aliases = {"mid": "layer2.0", "stage1": "layer3", "flat": "stage2.pooled"}
    features = Taps(model, ["mid", "mid.pooled", "stage1", "flat"], example=(x,), aliases=aliases)(x).features
    assert torch.equal(features["mid"], by_hand(model, "layer2.0", x))
    assert torch.equal(features["mid.pooled"], features["mid"].mean(dim=(2, 3)))
    assert torch.equal(features["stage1"], by_hand(model, "layer3", x))
    assert torch.equal(features["flat"], by_hand(model, "layer2", x).mean(dim=(2, 3)))
    assert unaliased("mid.weights", aliases) == "layer2.0.weights"
    assert unaliased("mid.conv", aliases) == "mid.conv"
    with pytest.raises(ValueError, match=r"unknown feature 'far' \(it stands for 'layer9'\)"):
        Taps(model, ["far"], example=(x,), aliases={"far": "layer9"})


@pytest.mark.parametrize("name", ["stage4", "stage0", "layer2.0.convolution", "nothing.pooled", "logits"])
def test_an_unknown_name_is_answered_with_those_that_there_are(name):
    with pytest.raises(
        ValueError, match=rf"unknown feature '{name}'.*stage1 \(4, 8, 8\), last \(8, 2, 2\), stage2 \(6, 4, 4\)"
    ) as caught:
        Taps(ResNet(), [name], example=(images(),))
    if "conv" in name:
        assert "layer2.0.conv" in str(caught.value)


def test_a_module_that_does_not_run_this_time_is_told():
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(5, 5)

        def forward(self, x: Tensor) -> Tensor:
            return x if self.training else self.inner(x)

    model = Moody().train()
    with pytest.raises(ValueError, match="'inner' did not come up in this run"):
        Taps(model, ["inner"], example=(vectors(),))(vectors())


def test_a_padded_batch_of_an_encoder_is_no_nested_tensor():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 2).eval().requires_grad_(False)

    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = model

        def forward(self, x: Tensor) -> Tensor:
            return self.encoder(x, src_key_padding_mask=torch.tensor([[False] * 4, [False] * 3 + [True]]))

    x = torch.randn(B, 4, 6)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of its own nested tensors.
        feature = Taps(Padded(), ["stage2"], example=(x,))(x).features["stage2"]
    assert not feature.is_nested
    layers = model.layers
    padded = torch.tensor([[False] * 4, [False] * 3 + [True]])
    expected = layers[1](layers[0](x, src_key_padding_mask=padded), src_key_padding_mask=padded)
    torch.testing.assert_close(feature[~padded], expected[~padded])


def test_stages_of_nothing_that_ran_are_none():
    assert find_stages(nn.Linear(2, 2), []) == ()
