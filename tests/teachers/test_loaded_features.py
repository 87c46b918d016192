"""Features of teachers that were loaded: every kind gives what the module itself computes."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from teachers import LOADERS, Coverage, LiveOutputs, Outputs, Preprocessing, Teacher
from teachers.loading.estimator import EstimatorModel
from teachers.outputs import Batch

B = 5
HALF = Preprocessing(scale=0.5)
ALIASES = {"mid": "body.2", "early": "body.0.pooled"}


class Net(nn.Module):
    """Convolutions, one of which is written over in place, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 6, 3, stride=2), nn.BatchNorm2d(6)
        )
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean(dim=(2, 3)))


def images() -> Tensor:
    return torch.randn(B, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def net() -> Net:
    return Net().eval().requires_grad_(False)


@pytest.fixture(scope="module", params=["callable", "factory", "exported", "exported of 2", "onnx", "onnx of 2"])
def loaded(request, net, tmp_path_factory):
    """The same network, loaded as each kind; the graphs once with a free batch and once with one of two rows."""
    folder = tmp_path_factory.mktemp("net")
    kind, _, fixed = request.param.partition(" of ")
    shapes = None if fixed else ({0: torch.export.Dim("batch")},)
    given = {"preprocessing": HALF, "taps": ALIASES}
    if kind == "callable":
        return LOADERS[kind](model=copy.deepcopy(net), **given)
    if kind == "factory":
        return LOADERS[kind](factory=Net, weights=None, **given)
    if kind == "exported":
        torch.export.save(torch.export.export(net, (images()[:2],), dynamic_shapes=shapes), folder / "net.pt2")
        return LOADERS[kind](path=folder / "net.pt2", trust=True, **given)
    export(net, folder / "net.onnx", shapes)
    return LOADERS[kind](path=folder / "net.onnx", preprocessing=HALF, taps={"mid": value_of_conv(folder / "net.onnx")})


def export(net: nn.Module, path, shapes) -> None:
    import logging
    import warnings

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(net, (images()[:2],), dynamo=True, dynamic_shapes=shapes, verbose=False)
    program.save(path)


def value_of_conv(path) -> str:
    """The output of the second convolution, or of what the normalisation after it was merged into."""
    import onnx

    return [node.output[0] for node in onnx.load(path).graph.node if node.op_type == "Conv"][1]


def expected(net: Net, name: str) -> Tensor:
    x = images() * 0.5
    first = net.body[0](x)
    values = {"inputs": x, "mid": net.body[2](first.relu()), "body.0": first, "body": net.body(x)}
    values["mid.pooled"], values["early"] = values["mid"].mean(dim=(2, 3)), first.mean(dim=(2, 3))
    return values[name]


@pytest.mark.parametrize("name", ["inputs", "mid", "mid.pooled", "body.0", "body", "early"])
def test_a_feature_is_the_same_however_the_network_was_loaded(loaded, net, name):
    if type(loaded.model).__name__ == "OnnxModel" and name in ("body.0", "body", "early"):
        with pytest.raises(ValueError, match=f"unknown feature '{name}'"):  # A graph of ONNX knows no modules.
            loaded.model(images(), [name])
        return
    if type(loaded.model).__name__ == "OnnxModel" and name.startswith("mid"):
        mid = net.body[3](net.body[2](net.body[:2](images() * 0.5)))  # The export merged the normalisation into it.
        wanted = mid if name == "mid" else mid.mean(dim=(2, 3))
    else:
        wanted = expected(net, name)
    raw = images()
    answer = loaded.model(raw, [name])
    torch.testing.assert_close(answer.features[name], wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(answer.logits, loaded.model(raw).logits, rtol=1e-4, atol=1e-5)
    assert answer.features[name].dtype == torch.float32
    assert torch.equal(raw, images())
    assert loaded.model(raw).features == {}


def test_a_pickled_teacher_gives_the_same_features(loaded):
    again = pickle.loads(pickle.dumps(loaded.model))
    for model in (loaded.model, again, pickle.loads(pickle.dumps(again))):  # Before and after it was asked.
        assert torch.equal(model(images(), ["mid"]).features["mid"], loaded.model(images(), ["mid"]).features["mid"])


def test_an_unknown_feature_is_answered_with_those_that_there_are(loaded):
    for name in ("stage9", "body.7", "attention1.weights"):
        with pytest.raises(ValueError, match=rf"unknown feature '{name}'.*(body|val_|conv)"):
            loaded.model(images(), [name])


def test_caches_know_a_feature_by_what_its_alias_stands_for(loaded):
    teacher = loaded.teacher("t")
    alias = loaded.model.feature_id("mid")
    assert teacher.feature_id("mid") == alias != "mid"
    assert teacher.feature_id("mid.pooled") == f"{alias}.pooled"
    assert teacher.feature_id("stage1") == "stage1"
    plain = Teacher(name="t", model=lambda inputs, features=(): None, coverage=Coverage(), digest="d")
    assert plain.feature_id("mid") == "mid"


def test_taps_do_not_change_the_digest(net):
    assert LOADERS["callable"](model=net, taps=ALIASES).digest == LOADERS["callable"](model=net).digest


def test_stages_of_modules_are_known_and_their_module_is_at_hand(net):
    model = LOADERS["callable"](model=net, preprocessing=HALF).model
    assert model.module is net
    assert model.preprocessing is HALF
    answer = model(images(), ["stage1", "last"])
    assert [tuple(answer.features[name].shape) for name in ("stage1", "last")] == [(B, 4, 8, 8), (B, 6, 3, 3)]
    assert not answer.features["last"].requires_grad


def test_a_program_without_modules_is_tapped_by_its_nodes(net, tmp_path):
    program = torch.export.export(net, (images(),))
    stored = io.BytesIO()
    torch.export.save(program, stored)
    (tmp_path / "net.pt2").write_bytes(stored.getvalue())
    model = LOADERS["exported"](path=tmp_path / "net.pt2", trust=True, preprocessing=HALF).model
    torch.testing.assert_close(model(images(), ["conv2d_1"]).features["conv2d_1"], expected(net, "mid"))


def test_an_object_that_is_no_module_gives_its_own_features():
    asked = []

    def told(inputs, features):
        asked.append(list(features))
        return Outputs(logits=inputs, features={"deep": inputs * 2})

    def untold(inputs):
        return Outputs(logits=inputs, features={"deep": inputs * 2})

    x = torch.ones(2, 3)
    for model in (told, untold):
        loaded = LOADERS["callable"](model=model, digest="v1", taps={"mine": "deep"}).model
        assert loaded.module is None
        assert torch.equal(loaded(x, ["mine"]).features["mine"], x * 2)
        with pytest.raises(ValueError, match=r"gives no features stage1; it gives deep"):
            loaded(x, ["stage1"])
    assert asked == [["deep"], ["stage1"]]


def test_an_estimator_has_no_features():
    x = np.random.default_rng(0).normal(size=(20, 2))
    fitted = LogisticRegression().fit(x, np.arange(20) % 2)
    model = EstimatorModel(fitted, preprocessing=Preprocessing(), class_names=("a", "b"), labels=None)
    with pytest.raises(ValueError, match=r"an estimator of scikit-learn has no features, asked for last"):
        model(torch.zeros(1, 2), ["last"])


def test_live_teachers_give_features_each_of_its_own_shape(net):
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3))
    teachers = [LOADERS["callable"](model=model).teacher(name) for name, model in (("a", net), ("b", other))]
    batch = Batch(index=torch.arange(B), inputs=images(), labels=torch.zeros(B, dtype=torch.int64))
    features = LiveOutputs(teachers, num_classes=3)(batch, ["last.pooled"]).features
    assert [tuple(each["last.pooled"].shape) for each in features] == [(B, 6), (B, 8)]
