"""Models of transformers that read texts, and fields of their configs that are searched."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from search_spaces import (
    Categorical,
    Cost,
    Integer,
    ModelSignature,
    Real,
    SearchSpace,
    TensorSpec,
    Value,
    count,
    sample,
    transformers_models,
)
from trials.export import export_onnx, onnx_predictor

V, C, D = 20, 3, 16
IDS = (TensorSpec(name="input_ids", shape=(None,), dtype="int64"),)
CLASSES = ModelSignature(inputs=IDS, outputs=(TensorSpec(name="logits", shape=(C,)),), vocabulary_size=V)
NEXT = ModelSignature(inputs=IDS, outputs=(TensorSpec(name="logits", shape=(None, V)),), vocabulary_size=V)
SIZES = {"hidden_size": D, "num_hidden_layers": 1, "num_attention_heads": 2}
BERT = {**SIZES, "model": "bert", "intermediate_size": 32, "lengths": [12]}
LLAMA = {**SIZES, "model": "llama", "intermediate_size": 32, "num_key_value_heads": 1, "lengths": [12]}
DISTILBERT = {**SIZES, "model": "distilbert", "hidden_dim": 32, "lengths": [12]}
GPT2 = {**SIZES, "model": "gpt2", "lengths": [12]}


def space(options: dict[str, object]) -> SearchSpace:
    return transformers_models(**options)  # type: ignore[arg-type] # fields have any type


def built(options: dict[str, object], signature: ModelSignature, **values: Value) -> nn.Module:
    torch.manual_seed(0)
    made = space(options)
    return made.build(made.spec({"length": 12} | values), signature).eval()


def tokens(*lengths: int, total: int) -> torch.Tensor:
    drawn = torch.randint(1, V, (len(lengths), total), generator=torch.Generator().manual_seed(1))
    return drawn.where(torch.arange(total) < torch.tensor(lengths)[:, None], 0)


@pytest.mark.parametrize("options", [BERT, DISTILBERT, GPT2, LLAMA], ids=lambda options: options["model"])
def test_outputs_tell_what_a_model_is_for_and_padding_has_no_say(options: dict[str, object]) -> None:
    texts = tokens(9, 4, 0, total=9)
    classifier = built(options, CLASSES)
    logits = classifier(texts)
    assert logits.shape == (3, C)
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[1:2], classifier(texts[1:2, :4]))
    if options["model"] == "distilbert":
        return
    language = built(options, NEXT)
    logits = language(texts)
    assert logits.shape == (3, 9, V)
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[1:2, :4], language(texts[1:2, :4]))
    # None sees what comes after it, not in BERT either.
    torch.testing.assert_close(logits[:1, :5], language(texts[:1, :5]))


@pytest.mark.parametrize(("options", "signature"), [(BERT, CLASSES), (LLAMA, NEXT)], ids=["bert", "llama"])
def test_graph_takes_any_batch_and_length_with_padding(options: dict[str, object], signature: ModelSignature) -> None:
    model = built(options, signature)
    predict = onnx_predictor(export_onnx(model, signature))
    for texts in (tokens(1, total=1), tokens(12, 4, 0, total=12), tokens(6, 3, total=6)):
        with torch.no_grad():
            expected = model(texts)
        torch.testing.assert_close(torch.as_tensor(predict(texts)), expected, rtol=1e-4, atol=1e-5)


def test_cost_of_a_language_model_is_the_one_by_hand_at_its_length() -> None:
    made, t = space(LLAMA), 12
    block = 2 * D * D + 2 * D * D // 2 + 3 * D * 32
    params = 2 * V * D + block + 2 * D + D
    macs = t * (block + D * V) + 2 * t * t * D
    assert count(made, made.spec({"length": t}), NEXT) == Cost(params=params, macs=macs)


def test_length_is_the_table_of_positions_and_vocabulary_the_one_of_the_signature() -> None:
    made = space(BERT | {"lengths": [8, 24], "vocabulary_sizes": [V, 50]})
    assert [choice.name for choice in made.choices] == ["vocabulary_size", "length"]
    model = made.build(made.spec({"vocabulary_size": V, "length": 24}), CLASSES)
    assert model.get_parameter("model.bert.embeddings.position_embeddings.weight").shape == (25, D)
    assert model.get_parameter("model.bert.embeddings.word_embeddings.weight").shape == (V, D)


def test_lists_and_ranges_are_searched_and_lists_of_a_field_that_is_one_are_not() -> None:
    ranges = {"num_hidden_layers": {"low": 1, "high": 4}, "hidden_dropout_prob": {"low": 0.0, "high": 0.5}}
    made = space({**BERT, **ranges, "hidden_size": [16, 32]})
    domains = {choice.name: choice.domain for choice in made.choices}
    assert domains == {
        "length": Categorical(options=(12,)),
        "hidden_size": Categorical(options=(16, 32)),
        "num_hidden_layers": Integer(low=1, high=4),
        "hidden_dropout_prob": Real(low=0.0, high=0.5),
    }
    assert not set(domains) & set(made.constants)
    resnet = transformers_models(model="resnet", depths=[1, 1], hidden_sizes=[8, 16], embedding_size=[8, 16])
    assert [choice.name for choice in resnet.choices] == ["embedding_size"]
    assert resnet.constants["depths"] == [1, 1]


def test_every_point_that_is_not_forbidden_has_the_sizes_that_were_chosen() -> None:
    # The config of llama works out the width of a head from these, distilbert's calls them by other names.
    searched = {"hidden_size": [16, 24], "num_attention_heads": [2, 3], "num_hidden_layers": {"low": 1, "high": 2}}
    for options, signature in ((LLAMA, NEXT), (DISTILBERT, CLASSES)):
        made = pickle.loads(pickle.dumps(space(options | searched)))
        assert made.forbids is not None
        for seed in range(6):
            values = sample(made.choices, np.random.default_rng(seed), forbids=made.forbids)
            config = made.build(made.spec(values), signature).model.config
            assert all(getattr(config, name) == values[name] for name in searched)
            assert getattr(config, "head_dim", None) in (None, values["hidden_size"] // values["num_attention_heads"])


@pytest.mark.parametrize("model", ["bert", "distilbert"])
def test_sizes_that_do_not_divide_are_forbidden_and_refused(model: str) -> None:
    made = space({"model": model, "hidden_size": [16, 24], "num_attention_heads": [2, 3], "num_hidden_layers": 1})
    values = {"hidden_size": 16, "num_attention_heads": 3}
    assert made.forbids is not None
    assert made.forbids(values | {"hidden_size": 24}) == ""
    assert made.forbids(values) == "hidden_size must be a multiple of num_attention_heads, got 16 and 3"
    with pytest.raises(ValueError, match="16"):
        made.build(made.spec(values), CLASSES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": [[8, 16]]}, "option 'hidden_size' can be searched over texts, numbers, true and false"),
        ({"hidden_size": [8, 8]}, r"option 'hidden_size': options must be at least one and differ, got \[8, 8\]"),
        ({"hidden_size": {"low": 8, "high": 4}}, "option 'hidden_size' is no range: need low <= high"),
        ({"vocab_size": [8]}, "options vocab_size follow from the data; leave them out"),
        ({"hiden_size": [8, 16]}, "has no option 'hiden_size'; did you mean"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        space({"model": "bert"} | options)


def test_a_model_of_another_use_is_refused() -> None:
    with pytest.raises(ValueError, match="model 'vit' is no text classifier; such are albert, "):
        made = transformers_models(model="vit")
        made.build(made.spec({}), CLASSES)
    tokens_of_two = ModelSignature(inputs=IDS, outputs=(TensorSpec(name="logits", shape=(2, C)),), vocabulary_size=V)
    with pytest.raises(ValueError, match=r"text models give \(classes,\) or \(tokens, 20\), got outputs"):
        built(BERT, tokens_of_two)
