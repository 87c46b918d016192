import sys

import pytest
import torch

from search_spaces import ModelSignature, TensorSpec, timm_models


def signature(*shape: int) -> ModelSignature:
    return ModelSignature(
        inputs=(TensorSpec(name="input", shape=shape),), outputs=(TensorSpec(name="logits", shape=(10,)),)
    )


@pytest.fixture
def _timm() -> None:
    pytest.importorskip("timm", reason="timm is an optional extra")


@pytest.mark.usefixtures("_timm")
@pytest.mark.parametrize(
    ("name", "arguments"), [("test_resnet", {}), ("mobilenetv3_small_050", {}), ("test_vit", {"patch_size": 2})]
)
def test_channels_classes_and_size_follow_from_the_data(name: str, arguments: dict[str, object]) -> None:
    space = timm_models(models=name, arguments=arguments)
    assert space.only_values == {"model": name}
    model = space.build(space.spec({"model": name}), signature(1, 8, 8)).eval()
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.usefixtures("_timm")
def test_name_changes_with_model_and_arguments() -> None:
    specs = [
        timm_models(models=["test_resnet", "resnet18"]).spec({"model": "test_resnet"}),
        timm_models(models=["test_resnet", "resnet18"]).spec({"model": "resnet18"}),
        timm_models(models="test_resnet", arguments={"drop_rate": 0.1}).spec({"model": "test_resnet"}),
    ]
    assert len({spec.architecture_digest for spec in specs}) == 3
    assert timm_models(models="test_resnet").spec({"model": "test_resnet"}) == specs[0]


@pytest.mark.usefixtures("_timm")
def test_mistakes_are_told_before_anything_is_built() -> None:
    with pytest.raises(ValueError, match=r"has no model 'resnet81'; did you mean one of \[.*'resnet18'"):
        timm_models(models=["resnet81"])
    with pytest.raises(ValueError, match=r"arguments in_chans are set by the space"):
        timm_models(models="resnet18", arguments={"in_chans": 1})
    space = timm_models(models="test_resnet")
    with pytest.raises(ValueError, match=r"need images \(channels, height, width\), got inputs of shape \(7,\)"):
        space.build(space.spec({"model": "test_resnet"}), signature(7))


def test_without_timm_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"space 'timm' needs timm and a torchvision .*automl-distill\[timm\]"):
        timm_models(models="resnet18")
