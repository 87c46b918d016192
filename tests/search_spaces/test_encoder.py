import pytest
import torch
from torch import nn

from search_spaces import Cost, ModelSignature, SearchSpace, TensorSpec, encoder, size
from search_spaces.choices import Value
from teachers.taps import Taps, available
from trials.export import export_onnx, onnx_predictor

V, C, D = 20, 3, 16
TEXTS = ModelSignature(
    inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
    outputs=(TensorSpec(name="logits", shape=(C,)),),
    vocabulary_size=V,
)
KINDS: dict[str, dict[str, Value]] = {
    "full": {"heads": 2, "positions": "rotary"},
    "local": {"heads": 2, "positions": "learnt", "attention.window": 4},
    "convolution": {"attention.kernel": 3},
}


def space() -> SearchSpace:
    return encoder(vocabulary_sizes=(V,), lengths=(12,), windows=(4,))


def bag() -> dict[str, Value]:
    return {"vocabulary_size": V, "length": 12, "layers": 0, "width": D, "dropout": 0.0}


def deep(attention: str, **changes: Value) -> dict[str, Value]:
    deeper: dict[str, Value] = {"layers": 2, "embedding": 0.5, "attention": attention}
    end: dict[str, Value] = {"feedforward": 2, "activation": "gelu", "pooling": "mean"}
    return bag() | deeper | KINDS[attention] | end | changes


def built(values: dict[str, Value]) -> nn.Module:
    torch.manual_seed(0)
    return space().build(space().spec(values), TEXTS).eval()


def tokens(*lengths: int, total: int) -> torch.Tensor:
    """Draw texts of these lengths, filled up to ``total``."""
    drawn = torch.randint(1, V, (len(lengths), total), generator=torch.Generator().manual_seed(1))
    return drawn.where(torch.arange(total) < torch.tensor(lengths)[:, None], 0)


def test_a_bag_is_a_linear_map_of_the_mean_of_the_vectors_of_its_tokens() -> None:
    model = built(bag())
    texts = torch.tensor([[3, 7, 7, 0], [5, 0, 0, 0]])
    vectors = model.get_parameter("embedding.tokens.weight") * 4.0
    means = torch.stack([(vectors[3] + 2 * vectors[7]) / 3, vectors[5]])
    torch.testing.assert_close(model(texts), means @ model.get_parameter("head.weight").T)


def test_cost_by_hand() -> None:
    cost = space().cost
    assert cost is not None
    t = 12
    assert cost(space().spec(bag()), TEXTS) == Cost(params=V * D + D * C + C, macs=D * C)
    embedding = V * D // 2 + D // 2 * D
    block = 4 * (D * D + D) + (D * 2 * D + 2 * D) + (2 * D * D + D) + 2 * 2 * D
    params = embedding + 2 * block + 2 * D + D * C + C
    macs = t * D // 2 * D + 2 * (t * (4 * D * D + 4 * D * D) + 2 * t * t * D) + D * C
    assert cost(space().spec(deep("full")), TEXTS) == Cost(params=params, macs=macs)
    # Twelve tokens are three blocks of four, each against twelve.
    local = cost(space().spec(deep("local")), TEXTS)
    assert local == Cost(params=params + t * D, macs=macs - 2 * 2 * t * t * D + 2 * 2 * 3 * 4 * 12 * D)


@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
@pytest.mark.parametrize("attention", KINDS)
def test_more_padding_changes_nothing(attention: str, pooling: str) -> None:
    model = built(deep(attention, pooling=pooling))
    long = tokens(5, 3, total=12)
    torch.testing.assert_close(model(long), model(long[:, :5]))
    torch.testing.assert_close(model(long)[1:], model(long[1:, :3]))


@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
@pytest.mark.parametrize("attention", KINDS)
def test_a_text_of_padding_alone_has_an_answer_and_gradients(attention: str, pooling: str) -> None:
    model = built(deep(attention, pooling=pooling))
    answer = model(torch.zeros(2, 9, dtype=torch.int64))
    assert answer.isfinite().all()
    answer.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_local_attention_is_full_attention_under_a_band() -> None:
    values = deep("local", positions="rotary")
    model, full = built(values), built(deep("full"))
    full.load_state_dict(model.state_dict())
    far_T = torch.arange(12)
    band_TT = (far_T[:, None] - far_T).abs() <= 4
    for block in full.get_submodule("layers"):  # type: ignore[attr-defined] # it is a list of modules
        attend = block.mix.attend
        block.mix.attend = lambda *parts, mask, attend=attend: attend(*parts, mask=mask & band_TT)
    # All tokens of the second text see one of its own, so that both kinds agree on every one.
    texts = tokens(12, 10, total=12)
    torch.testing.assert_close(model(texts), full(texts))


def test_order_matters_to_all_but_a_bag() -> None:
    texts = tokens(6, total=6)
    for values in (bag(), *map(deep, KINDS)):
        model = built(values)
        assert torch.allclose(model(texts), model(texts.flip(1)), atol=1e-5) == (values["layers"] == 0), values


def test_texts_may_be_longer_than_length_where_positions_are_rotations() -> None:
    assert built(deep("full"))(tokens(40, total=40)).shape == (1, C)


# What is not tried here, poolings apart, differs by layers that the exporter has long known.
@pytest.mark.parametrize("values", [bag(), *(deep(kind, pooling="max") for kind in KINDS)])
def test_graph_takes_any_batch_and_length_with_padding(values: dict[str, Value]) -> None:
    model = built(values)
    predict = onnx_predictor(export_onnx(model, TEXTS))
    for texts in (tokens(1, total=1), tokens(12, 4, 0, total=12), tokens(6, 0, 3, 5, total=6), tokens(9, 7, total=9)):
        with torch.no_grad():
            expected = model(texts)
        torch.testing.assert_close(torch.as_tensor(predict(texts)), expected, rtol=1e-4, atol=1e-5)


def test_stages_and_attentions_can_be_tapped() -> None:
    model = built(deep("full"))
    texts = tokens(7, 4, total=7)
    names = ["attention1.query", "attention_last.weights", "attention2.seen", "stage1", "last.pooled"]
    features = Taps(model, names, example=(texts,))(texts).features
    assert features["attention1.query"].shape == (2, 2, 7, 8)
    assert features["attention_last.weights"].shape == (2, 2, 7, 7)
    assert torch.equal(features["attention2.seen"], (texts != 0).float())
    assert (features["attention_last.weights"][1, :, :, 4:] == 0).all()
    assert features["stage1"].shape == (2, 7, D)
    assert features["last.pooled"].shape == (2, D)


def test_stages_of_other_mixing_can_be_tapped_and_a_bag_has_none() -> None:
    texts = tokens(7, 4, total=7)
    for kind in ("local", "convolution"):
        assert {"stage1", "stage2", "last"} <= set(available(built(deep(kind)), (texts,)))
    assert "stage1" not in available(built(bag()), (texts,))


def test_number_of_points_by_hand() -> None:
    small = encoder(max_layers=2, max_width=32, dropouts=(0.0,))
    kinds = 3 * 2 + 3 * 2 * 2 + 2  # full: heads, positions; local: also windows; convolution: kernels
    assert size(small.choices) == 5 * 4 * 2 * (1 + 2 * 3 * kinds * 3 * 2 * 3)


def test_a_vocabulary_that_the_data_fixes_is_no_choice() -> None:
    fixed = encoder(vocabulary_sizes=None)
    assert "vocabulary_size" not in {choice.name for choice in fixed.choices}
    values = {name: value for name, value in (bag() | {"length": 32}).items() if name != "vocabulary_size"}
    assert fixed.build(fixed.spec(values), TEXTS).get_parameter("embedding.tokens.weight").shape == (V, D)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attentions": ["linear"]}, "unknown attention 'linear'; known are convolution, full, local"),
        ({"heads": [3]}, "width_step must be a multiple of 3 heads into heads of an even width.*, got 16"),
        ({"heads": [16]}, "width_step must be a multiple of 16 heads into heads of an even width.*, got 16"),
        ({"heads": [3], "positions": ["learnt"]}, "width_step must be a multiple of 3 heads, got 16"),
        ({"embeddings": [0.3]}, "embeddings must be shares of the width, whole of 16, got 0.3"),
        ({"embeddings": [2.0]}, "embeddings must be shares of the width, whole of 16, got 2.0"),
        ({"kernels": [4]}, r"kernels must be odd, got \[4\]"),
        ({"vocabulary_sizes": [1]}, r"vocabulary_sizes must be at least 2, padding and a token, got \[1\]"),
        ({"lengths": [0]}, r"lengths must be at least 1, got \[0\]"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(**options)  # type: ignore[arg-type] # of any type, to be refused


def test_inputs_that_are_no_token_ids_are_refused() -> None:
    images = ModelSignature(inputs=(TensorSpec(name="input", shape=(1, 8, 8)),), outputs=TEXTS.outputs)
    for function in (space().build, space().cost):
        assert function is not None
        with pytest.raises(ValueError, match="needs one input of token ids"):
            function(space().spec(bag()), images)
