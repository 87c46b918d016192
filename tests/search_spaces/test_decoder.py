import pytest
import torch

from search_spaces import (
    CachedDecoder,
    Cost,
    Decoder,
    ModelSignature,
    SearchSpace,
    TensorSpec,
    cached_signature,
    decoder,
    empty_cache,
    size,
)
from search_spaces.choices import Value
from teachers.taps import Taps
from trials.export import export_onnx, onnx_predictor
from trials.sessions import open_session

V, D, T = 20, 32, 9
TEXTS = ModelSignature(
    inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
    outputs=(TensorSpec(name="logits", shape=(None, V)),),
    vocabulary_size=V,
)


def space() -> SearchSpace:
    return decoder(lengths=(12,), feedforwards=(3,))


def point(**changes: Value) -> dict[str, Value]:
    values: dict[str, Value] = {"length": 12, "layers": 2, "width": D, "dropout": 0.0, "embedding": 0.5, "tied": True}
    values |= {"positions": "rotary", "norm": "rms", "feedforward": 3, "feedforward.kind": "swiglu", "heads": 4}
    return values | {"heads4.kv_heads": 2} | changes


PLAIN = point(**{"positions": "learnt", "norm": "layer", "feedforward.kind": "gelu", "tied": False, "embedding": 1.0})


def built(values: dict[str, Value]) -> Decoder:
    torch.manual_seed(0)
    model = space().build(space().spec(values), TEXTS).eval()
    assert isinstance(model, Decoder)
    return model


def tokens(*lengths: int, total: int) -> torch.Tensor:
    """Draw texts of these lengths, filled up to ``total``."""
    drawn = torch.randint(1, V, (len(lengths), total), generator=torch.Generator().manual_seed(1))
    return drawn.where(torch.arange(total) < torch.tensor(lengths)[:, None], 0)


def test_cost_by_hand() -> None:
    cost = space().cost
    assert cost is not None
    t, narrow = 12, D // 2
    # Half as many heads of keys and of values; three matrices of two thirds of three widths.
    matrices = 2 * D * D + 2 * D * D // 2 + 3 * D * 2 * D
    ends = narrow * D + D * narrow + narrow * V
    macs = t * (2 * matrices + ends) + 2 * 2 * t * t * D
    params = V * narrow + 2 * narrow * D + 2 * (matrices + 2 * D) + D
    assert cost(space().spec(point()), TEXTS) == Cost(params=params, macs=macs)
    # The output of its own adds a table; no MACs, since reading one takes none.
    assert cost(space().spec(point(tied=False)), TEXTS) == Cost(params=params + V * narrow, macs=macs)


@pytest.mark.parametrize("values", [point(), PLAIN], ids=["rotary", "learnt"])
def test_what_comes_after_changes_nothing_before_it(values: dict[str, Value]) -> None:
    model = built(values)
    texts = tokens(T, T, total=T)
    other = texts.clone()
    other[:, 5:] = other[:, 5:] % (V - 1) + 1
    torch.testing.assert_close(model(texts)[:, :5], model(other)[:, :5])
    assert not torch.allclose(model(texts)[:, 5], model(other)[:, 5])
    torch.testing.assert_close(model(texts)[:, :5], model(texts[:, :5]))


def test_padding_has_finite_answers_and_gradients_and_no_say() -> None:
    model = built(point())
    texts = tokens(T, 4, 0, total=T)
    logits = model(texts)
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[1:2, :4], model(texts[1:2, :4]))
    logits.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_logits_can_be_had_of_a_few_tokens_at_a_time() -> None:
    model = built(point())
    texts = tokens(T, 3, total=T)
    hidden = model.hidden(texts)
    assert hidden.shape == (2, T, D)
    torch.testing.assert_close(torch.cat([model.head(hidden[:, :4]), model.head(hidden[:, 4:])], dim=1), model(texts))


def test_tied_tables_are_one_parameter_and_start_with_logits_of_size_one() -> None:
    model = built(point())
    assert model.head.tokens.weight is model.embedding.tokens.weight
    for values in (point(), PLAIN):
        assert 0.5 < built(values)(tokens(*[12] * 20, total=12)).std() < 2


def test_positions_turn_so_that_distances_alone_count() -> None:
    attention = built(point()).layers[0].get_submodule("mix.project")
    rotary = built(point()).rotary
    assert rotary is not None
    hidden = torch.randn(1, T, D)
    near, far = (attention(hidden, rotary(torch.arange(T) + start)) for start in (0, 50))
    products = [query @ key.repeat_interleave(2, dim=1).transpose(2, 3) for query, key, _ in (near, far)]
    torch.testing.assert_close(*products, rtol=1e-3, atol=1e-4)
    plain = attention(hidden, None)
    torch.testing.assert_close(near[0].norm(dim=-1), plain[0].norm(dim=-1))
    torch.testing.assert_close(near[0][:, :, 0], plain[0][:, :, 0])
    assert not torch.allclose(near[0][:, :, 1], plain[0][:, :, 1])


@pytest.mark.parametrize("values", [point(), PLAIN], ids=["rotary", "learnt"])
def test_going_on_from_keys_and_values_gives_the_logits_of_the_whole(values: dict[str, Value]) -> None:
    model = built(values)
    texts = tokens(T, T, total=T)
    past = empty_cache(space().spec(values), batch=2)
    at = 0
    for num_tokens in (4, 1, 3, 1):
        logits, past = model.step(texts[:, at : at + num_tokens], past)
        at += num_tokens
        torch.testing.assert_close(logits, model(texts)[:, at - 1 : at])
        assert {part.shape for part in past} == {(2, 2, at, 8)}


def test_graph_goes_on_from_none_and_from_many_tokens() -> None:
    spec = space().spec(point())
    model = built(point())
    signature = cached_signature(spec, TEXTS)
    session = open_session(export_onnx(CachedDecoder(model), signature), threads=1, provider="cpu")
    names = [tensor.name for tensor in signature.inputs]
    assert names == ["input_ids", "past_key_0", "past_value_0", "past_key_1", "past_value_1"]
    assert [tensor.name for tensor in session.get_outputs()][:2] == ["logits", "present_key_0"]
    texts = tokens(T, T, T, total=T)
    with torch.no_grad():
        expected = model(texts)
    past = [part.numpy() for part in empty_cache(spec, batch=3)]
    at = 0
    for num_tokens in (5, 1, 1, 2):
        feeds = dict(zip(names, (texts[:, at : at + num_tokens].numpy(), *past), strict=True))
        logits, *past = session.run(None, feeds)
        at += num_tokens
        torch.testing.assert_close(torch.as_tensor(logits), expected[:, at - num_tokens : at], rtol=1e-4, atol=1e-5)
        assert [part.shape for part in past] == [(3, 2, at, 8)] * 4


@pytest.mark.parametrize("values", [point(), PLAIN], ids=["rotary", "learnt"])
def test_graph_takes_any_batch_and_length_with_padding(values: dict[str, Value]) -> None:
    model = built(values)
    predict = onnx_predictor(export_onnx(model, TEXTS))
    for texts in (tokens(1, total=1), tokens(12, 4, 0, total=12), tokens(6, 3, total=6)):
        with torch.no_grad():
            expected = model(texts)
        torch.testing.assert_close(torch.as_tensor(predict(texts)), expected, rtol=1e-4, atol=1e-5)


def test_stages_and_grouped_attentions_can_be_tapped() -> None:
    model = built(point())
    texts = tokens(T, 4, total=T)
    names = ["attention1.query", "attention1.key", "attention_last.weights", "attention1.seen", "stage2"]
    features = Taps(model, names, example=(texts,))(texts).features
    assert features["attention1.query"].shape == (2, 4, T, 8)
    assert features["attention1.key"].shape == (2, 2, T, 8)
    weights = features["attention_last.weights"]
    assert weights.shape == (2, 4, T, T)
    assert (weights.triu(1) == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 4, T))
    assert torch.equal(features["attention1.seen"], (texts != 0).float())
    torch.testing.assert_close(model.norm(features["stage2"]), model.hidden(texts))


def test_number_of_points_by_hand() -> None:
    small = decoder(max_layers=2, max_width=48, dropouts=(0.0,), norms=("rms",))
    assert size(small.choices) == 2 * 2 * 3 * 3 * 2 * 2 * 3 * 2 * (1 + 2 + 3)
    asked = {choice.name: choice.domain for choice in decoder(kv_shares=(1.0, 0.25)).choices}
    assert asked["heads2.kv_heads"].options == (2,)  # type: ignore[union-attr] # it is categorical
    assert asked["heads4.kv_heads"].options == (1, 4)  # type: ignore[union-attr]
    assert "vocabulary_size" not in asked
    assert "vocabulary_size" in {choice.name for choice in decoder(vocabulary_sizes=(64, 128)).choices}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kv_shares": [0.3]}, r"kv_shares must give 1 to 1 of 1 heads, got \[0.3\]"),
        ({"kv_shares": [2.0]}, r"kv_shares must give 1 to 1 of 1 heads, got \[2.0\]"),
        ({"feedforward_kinds": ["geglu"]}, "unknown feed-forward part 'geglu'; known are gelu, swiglu"),
        ({"norms": ["batch"]}, "unknown norm 'batch'; known are layer, rms"),
        ({"positions": ["sine"]}, "unknown positions 'sine'; known are learnt, rotary"),
        ({"heads": [5]}, "width_step must be a multiple of 5 heads"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decoder(**options)  # type: ignore[arg-type] # of any type, to be refused


def test_outputs_that_are_no_row_of_logits_for_each_token_are_refused() -> None:
    classes = ModelSignature(inputs=TEXTS.inputs, outputs=(TensorSpec(name="logits", shape=(3,)),), vocabulary_size=V)
    for function in (space().build, space().cost):
        assert function is not None
        with pytest.raises(ValueError, match=r"gives logits \(tokens, 20\), and .* is asked for; use encoder"):
            function(space().spec(point()), classes)
