from pathlib import Path

import pytest
import torch
from torch import nn

from search_spaces import Cost, ModelSignature, SearchSpace, TensorSpec, count, transformers_models

VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "patch_size": 2}
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


def signature(*shape: int, num_classes: int = 10) -> ModelSignature:
    return ModelSignature(
        inputs=(TensorSpec(name="input", shape=shape),), outputs=(TensorSpec(name="logits", shape=(num_classes,)),)
    )


def built(space: SearchSpace, *shape: int) -> nn.Module:
    return space.build(space.spec({}), signature(*shape))


@pytest.mark.parametrize(("model", "fields"), [("vit", VIT), ("resnet", RESNET)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 8)])
def test_sizes_channels_and_classes_follow_from_the_data(
    model: str, fields: dict[str, object], shape: tuple[int, ...]
) -> None:
    classifier = built(transformers_models(model=model, **fields), *shape)
    assert classifier(torch.zeros(2, *shape)).shape == (2, 10)


def test_attention_is_the_fused_one_and_parts_keep_their_names() -> None:
    classifier = built(transformers_models(model="vit", **VIT), 1, 8, 8)
    assert classifier.model.config._attn_implementation == "sdpa"
    assert "model.vit.embeddings" in dict(classifier.named_modules())


def test_cost_of_a_vision_transformer_is_the_one_by_hand() -> None:
    space = transformers_models(model="vit", **VIT)
    d, mlp, patches, numbers, classes = 16, 32, 16, 4, 10
    tokens = patches + 1
    embedding = numbers * d + d + d + tokens * d
    block = 4 * (d * d + d) + (d * mlp + mlp) + (mlp * d + d) + 2 * 2 * d
    params = embedding + 2 * block + 2 * d + d * classes + classes
    macs = patches * numbers * d + 2 * (tokens * (4 * d * d + 2 * d * mlp) + 2 * tokens * tokens * d) + d * classes
    assert count(space, space.spec({}), signature(1, 8, 8)) == Cost(params=params, macs=macs)


def test_name_changes_with_the_config_and_not_with_what_is_a_default() -> None:
    def name(model: str = "vit", **fields: object) -> str:
        return transformers_models(model=model, **fields).spec({}).architecture_digest

    assert len({name(**VIT), name(**VIT | {"patch_size": 4}), name(), name("deit")}) == 4
    assert name(**VIT, hidden_act="gelu", qkv_bias=True) == name(**VIT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "vitt"}, r"unknown model 'vitt'; it is no folder here, and model types are .*, beit, "),
        (
            {"model": "vit", "hiden_size": 8},
            r"model 'vit' has no option 'hiden_size'; did you mean one of .*hidden_size",
        ),
        ({"model": "vit", "hidden_size": "x"}, r"model 'vit' cannot have options {'hidden_size': 'x'}: "),
        ({"model": "vit", "num_labels": 3}, r"options num_labels follow from the data; leave them out"),
        ({"model": "vit", "pretrained": True}, "model type 'vit' has no weights; give a folder"),
        ({"model": "{folder}"}, "the config of '.*' cannot be read"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(options: dict[str, object], message: str, tmp_path: Path) -> None:
    model = str(options["model"]).replace("{folder}", str(tmp_path))
    with pytest.raises(ValueError, match=message):
        transformers_models(**options | {"model": model})  # type: ignore[arg-type] # fields have any type


def test_inputs_that_are_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"need images \(channels, height, width\), got inputs of shape \(7,\)"):
        built(transformers_models(model="vit", **VIT), 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as ``save_pretrained`` leaves it, of eight pixels and ten classes."""
    torch.manual_seed(5)
    space = transformers_models(model="vit", **VIT)
    built(space, 1, 8, 8).model.save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def test_a_folder_gives_its_config_and_its_weights_only_if_they_are_asked_for(folder: Path) -> None:
    saved = transformers_models(model=str(folder), pretrained=True)
    torch.manual_seed(5)
    original = built(transformers_models(model="vit", **VIT), 1, 8, 8)
    torch.manual_seed(6)
    weights = built(saved, 1, 8, 8).state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in original.state_dict().items())
    fresh = transformers_models(model=str(folder))
    assert fresh.spec({}) == transformers_models(model="vit", **VIT).spec({})
    assert not torch.equal(
        built(fresh, 1, 8, 8).state_dict()["model.classifier.weight"], weights["model.classifier.weight"]
    )


def test_pretrained_weights_that_fit_are_taken_and_other_classes_start_at_random(folder: Path) -> None:
    space = transformers_models(model=str(folder), pretrained=True)
    taken = built(space, 1, 8, 8).state_dict()
    other = space.build(space.spec({}), signature(1, 8, 8, num_classes=4)).state_dict()
    assert other["model.classifier.weight"].shape == (4, 16)
    name = "model.vit.embeddings.patch_embeddings.projection.weight"
    assert torch.equal(other[name], taken[name])


def test_pretrained_weights_are_part_of_the_name(folder: Path) -> None:
    names = {transformers_models(model=str(folder)).spec({}).architecture_digest}
    names.add(transformers_models(model=str(folder), pretrained=True).spec({}).architecture_digest)
    torch.manual_seed(7)
    built(transformers_models(model="vit", **VIT), 1, 8, 8).model.save_pretrained(folder)
    names.add(transformers_models(model=str(folder), pretrained=True).spec({}).architecture_digest)
    assert len(names) == 3


def test_pretrained_students_are_counted_without_their_weights(folder: Path) -> None:
    spaces = [transformers_models(model=str(folder), pretrained=pretrained) for pretrained in (True, False)]
    costs = {count(space, space.spec({}), signature(1, 8, 8)) for space in spaces}
    assert len(costs) == 1


def test_weights_that_would_have_to_be_unpickled_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"has no \.safetensors; save the model anew with save_pretrained"):
        transformers_models(model=str(folder), pretrained=True)
