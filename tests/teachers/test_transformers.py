"""Models of transformers as teachers: found, read, matched with the data, and made to write."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from teachers import LOADERS, Generator, LoadedModel, Preprocessing
from teachers.loading.language_model import SORTED
from tests.teachers import tiny_models as tiny
from tests.teachers.tiny_models import TEXTS, WORDS

NAMES = ("yes", "no", "maybe")
SETTINGS: dict[str, Any] = {"samples": 8, "temperature": 1.0, "max_new_tokens": 5, "seed": 0}


def load(folder: Path | str, **more: Any) -> LoadedModel:
    return LOADERS["transformers"](model=str(folder), **{"reads": "texts", "class_names": NAMES, **more})


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("bert"), tiny.bert())


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("gpt2"), tiny.gpt2())


@pytest.mark.parametrize("make", [tiny.bert, tiny.distilbert, tiny.gpt2_classifier])
def test_logits_are_those_of_each_text_alone_in_the_order_of_the_classes(tmp_path: Path, make: Any) -> None:
    model = make().eval()
    found = load(tiny.save(tmp_path, model), batch=3).model(TEXTS).logits
    tokenizer = tiny.tokenizer()
    with torch.no_grad():
        alone = [model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, [1, 0, 2]] for text in TEXTS]
    torch.testing.assert_close(found, torch.stack(alone), rtol=1e-5, atol=1e-5)


def test_a_tokenizer_without_padding_will_do(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path, tiny.gpt2_classifier(special=2), padding=False)
    model = load(folder).model
    whole = model([*TEXTS, ""]).logits
    torch.testing.assert_close(torch.cat([model([text]).logits for text in TEXTS]), whole[:-1], rtol=1e-5, atol=1e-5)


def test_texts_are_cut_to_the_length(bert: Path) -> None:
    model = load(bert, max_length=2).model
    assert torch.equal(model(["cat sat on a mat"]).logits, model(["cat sat away"]).logits)
    with pytest.raises(ValueError, match="max_length must be at most 16, the positions that the model has, got 17"):
        load(bert, max_length=17)


@pytest.mark.parametrize(
    ("own", "names", "labels", "expected"),
    [
        (("no", "yes", "maybe"), NAMES, None, [1, 0, 2]),
        (("No", "YES", "maybe"), NAMES, None, [1, 0, 2]),
        (("no", "yes", "maybe"), NAMES, (2, 0), [2, 1]),
        (("LABEL_0", "LABEL_1", "LABEL_2"), NAMES, None, None),
        (("LABEL_0", "LABEL_1"), NAMES, (2, 0), None),
        (("no", "yes", "maybe", "other"), NAMES, None, [1, 0, 2]),
    ],
)
def test_classes_are_matched_by_name_else_by_order(own: Any, names: Any, labels: Any, expected: Any) -> None:
    from teachers.loading.labels import label_columns

    assert label_columns(dict(enumerate(own)), class_names=names, labels=labels) == expected


@pytest.mark.parametrize(
    ("own", "labels", "expected"),
    [
        (("no", "yes"), None, r"it knows the classes no, yes alone; write covers: \{labels: \[yes, no\]\}"),
        (
            ("no", "yes", "perhaps"),
            None,
            "its classes are no, yes, perhaps, and it shall be heard on yes, no",
        ),
        (("a", "b"), None, "it gives 2 classes, a, b, and shall be heard on 3, yes, no, maybe; set covers.labels"),
        (("a",), (0, 1), "it gives 1 classes, a, and shall be heard on 2, yes, no"),
    ],
)
def test_classes_that_do_not_fit_are_told(own: Any, labels: Any, expected: str) -> None:
    from teachers.loading.labels import label_columns

    with pytest.raises(ValueError, match=expected):
        label_columns(dict(enumerate(own)), class_names=NAMES, labels=labels)


def test_features_have_one_shape_and_means_leave_padding_out(bert: Path) -> None:
    model = load(bert, batch=3, taps={"top": "bert.encoder.layer.1"}).model
    found = model(TEXTS, ["top", "top.pooled", "attention1.weights", "attention1.seen"])
    assert found.features["top"].shape == (7, 16, 8)
    assert found.features["attention1.weights"].shape == (7, 2, 16, 16)
    lengths = [len(text.split()) for text in TEXTS]
    assert found.features["attention1.seen"].sum(dim=1).tolist() == lengths
    for row, length in enumerate(lengths):
        expected = found.features["top"][row, :length].mean(dim=0)
        torch.testing.assert_close(found.features["top.pooled"][row], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.logits, model(TEXTS).logits, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="unknown feature 'nothing'"):
        model(TEXTS, ["nothing"])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_images_are_prepared_as_the_model_says(tmp_path: Path, dtype: torch.dtype) -> None:
    model = tiny.vit().eval()
    model.save_pretrained(tmp_path)
    settings = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.25], "size": {"height": 8, "width": 8}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**settings, "rescale_factor": 1 / 255}))
    torch.manual_seed(0)
    images = (torch.rand(5, 1, 8, 8) * 255).to(dtype) if dtype == torch.uint8 else torch.rand(5, 1, 8, 8)
    loaded = load(tmp_path, reads="images", batch=2)
    pixels = (images / 255 if dtype == torch.uint8 else images).repeat(1, 3, 1, 1)
    mean, std = (torch.tensor(settings[name]).reshape(1, 3, 1, 1) for name in ("image_mean", "image_std"))
    with torch.no_grad():
        expected = model((pixels - mean) / std).logits[:, [1, 0, 2]]
    torch.testing.assert_close(loaded.model(images).logits, expected, rtol=1e-5, atol=1e-5)
    other = load(tmp_path, reads="images", preprocessing=Preprocessing(channels=3))
    assert other.digest != loaded.digest
    assert loaded.model(images, ["last"]).features["last"].shape[0] == 5


def test_the_cut_of_an_image_decides_its_size(tmp_path: Path) -> None:
    from teachers.loading.image_classifier import stored_preprocessing

    model = tiny.vit()
    model.save_pretrained(tmp_path)
    record = {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "resample": 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**record, "do_center_crop": True}))
    found = stored_preprocessing(str(tmp_path), revision=None, config=model.config)
    assert found == Preprocessing(scale=1 / 255, resize=(224, 224), interpolation="bicubic", channels=3)


def test_a_shared_tokenizer_gives_logits_at_each_token(gpt2: Path) -> None:
    definition = tiny.tokenizer().backend_tokenizer.to_str()
    model = load(gpt2, reads="tokens", data_tokenizer=definition, batch=2).model
    ids = torch.tensor([[3, 4, 5, 6], [5, 4, 0, 0], [7, 7, 7, 7]])
    found = model(ids, [SORTED])
    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(gpt2)(ids).logits
    torch.testing.assert_close(found.logits, expected, rtol=1e-5, atol=1e-5)
    highest = expected.softmax(dim=-1).sort(dim=-1, descending=True).values
    torch.testing.assert_close(found.features[SORTED], highest, rtol=1e-5, atol=1e-5)


def test_another_tokenizer_gives_sorted_probabilities_of_the_text(gpt2: Path) -> None:
    words = [*reversed(WORDS), "matinee"]
    own = tiny.tokenizer(words)
    loaded = load(gpt2, reads="tokens", data_tokenizer=own.backend_tokenizer.to_str())
    ids = torch.tensor([own(text + " cat")["input_ids"] + [0] * (5 - len(text.split())) for text in TEXTS[1:3]])
    found = pickle.loads(pickle.dumps(loaded.model))(ids, [SORTED])
    assert found.logits.shape == (*ids.shape, 14)
    assert (found.logits == 0).all()
    assert found.features[SORTED].shape == (*ids.shape, 13)
    theirs = tiny.tokenizer()("dog cat")["input_ids"]
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(gpt2)(torch.tensor([theirs])).logits[0]
    expected = logits.softmax(dim=-1).sort(dim=-1, descending=True).values
    torch.testing.assert_close(found.features[SORTED][0, :2], expected, rtol=1e-5, atol=1e-5)
    assert (found.features[SORTED][0, 2:] == 0).all()
    assert loaded.digest != load(gpt2, reads="tokens").digest
    with pytest.raises(ValueError, match="cuts texts into other tokens than the data, so that it has no last"):
        loaded.model(ids, ["last"])


def test_a_text_is_written_with_its_probability_whoever_else_is_asked(gpt2: Path) -> None:
    model = load(gpt2, reads="tokens").model
    assert isinstance(model, Generator)
    (_, second) = model.generate(["cat sat", "dog"], **SETTINGS)
    assert model.generate(["dog"], **SETTINGS) == [second]
    assert model.generate(["dog"], **{**SETTINGS, "seed": 1}) != [second]
    tokenizer = tiny.tokenizer()
    network = AutoModelForCausalLM.from_pretrained(gpt2)
    whole = [each for each in second if len(each.text.split()) == 5]  # Others ended, or hold tokens that say nothing.
    assert whole
    for each in whole:
        start, ids = tokenizer("dog")["input_ids"], tokenizer(each.text)["input_ids"]
        with torch.no_grad():
            told = network(torch.tensor([start + ids])).logits[0].log_softmax(dim=-1)
        expected = sum(float(told[len(start) - 1 + place, token]) for place, token in enumerate(ids))
        assert each.log_probability == pytest.approx(expected, abs=1e-4)


def test_temperature_0_takes_the_likeliest_token(gpt2: Path) -> None:
    model = load(gpt2, reads="tokens").model
    assert isinstance(model, Generator)
    ((one, other),) = model.generate(["a"], **{**SETTINGS, "samples": 2, "temperature": 0, "max_new_tokens": 1})
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(gpt2)(torch.tensor([tiny.tokenizer()("a")["input_ids"]])).logits
    assert one == other
    assert one.text == tiny.tokenizer().decode(logits[0, -1].argmax(), skip_special_tokens=True)
    with pytest.raises(ValueError, match="max_new_tokens must be below the 16 tokens that the teacher reads, got 16"):
        model.generate(["a"], **{**SETTINGS, "max_new_tokens": 16})


def test_a_model_without_a_head_is_told_what_would_do(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path, tiny.bert(head=False))
    with pytest.raises(ValueError, match=r"has no head that classifies: .*classifier.bias.* take kind: sentence_enc"):
        load(folder)


def test_pickled_weights_are_refused_with_the_way_to_safetensors(tmp_path: Path) -> None:
    model = tiny.bert()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"has only pytorch_model.bin; weights are read from safetensors alone"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "no/such",
            "'no/such' is no folder here, and the hub cannot be reached to fetch it; fetch it once ",
        ),
        ("./no/such", "no folder ./no/such; give one that save_pretrained wrote, or a name on the hub"),
        ("package:nosuch/model", "package 'nosuch' is not installed here"),
        (
            "package:teachers/nosuch",
            "package 'teachers' has no folder 'nosuch'; beside it are cache, end",
        ),
        ("package:teachers/loading", "loading has no config.json; give a folder that save_pretrained wrote"),
    ],
)
def test_a_model_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, model: str, expected: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=expected):
        load(model)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"preprocessing": Preprocessing()}, "preprocessing is for images"),
        ({"reads": "images", "max_length": 4}, "max_length is for texts, and the data are images"),
    ],
)
def test_settings_for_other_data_are_refused(bert: Path, more: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        load(bert, **more)
