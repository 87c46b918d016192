"""Attention as the taps see it, held against PyTorch's and transformers' own weights."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from teachers.attention import LOWEST_SCORE, PARTS, AttentionRecorder
from teachers.taps import Taps, available

B, H, T, D = 2, 4, 5, 3
ROOT = Path(__file__).parents[2]


def heads(seed: int, num_heads: int = H, tokens: int = T) -> torch.Tensor:
    return torch.randn(B, num_heads, tokens, D, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def recorded(*args: object, **kwargs: object):
    with AttentionRecorder() as recorder:
        output = functional.scaled_dot_product_attention(*args, **kwargs)
    return output, recorder.calls[1]


FLOAT_MASK = torch.linspace(-2, 1, T).repeat(T, 1)
BOOL_MASK = torch.tensor([True, False, True, True, False]).expand(T, T)
CASES = {
    "plain": {},
    "causal": {"is_causal": True},
    "float mask": {"attn_mask": FLOAT_MASK},
    "mask of minus infinity": {"attn_mask": torch.zeros(T, T).masked_fill(~BOOL_MASK, -math.inf)},
    "mask of one head": {"attn_mask": FLOAT_MASK.expand(B, 1, T, T)},
    "bool mask": {"attn_mask": BOOL_MASK},
    "scale": {"scale": 0.25},
    "dropout": {"dropout_p": 0.5},
}


@pytest.mark.parametrize("case", CASES)
def test_weights_make_the_output_that_the_kernel_gives(case):
    query, key, value = heads(1), heads(2), heads(3)
    _, attention = recorded(query, key, value, **CASES[case])
    arguments = {name: given for name, given in CASES[case].items() if name != "dropout_p"}
    expected = functional.scaled_dot_product_attention(query, key, value, **arguments)
    torch.testing.assert_close(attention.part("weights") @ value, expected)
    torch.testing.assert_close(attention.part("weights").sum(dim=-1), torch.ones(B, H, T))
    torch.testing.assert_close(attention.part("scores").softmax(dim=-1), attention.part("weights"))
    assert attention.part("query") is query
    assert attention.part("key") is key
    assert attention.part("value") is value


def test_scores_are_products_by_the_scale_with_the_mask_added():
    query, key = heads(1), heads(2)
    _, attention = recorded(query, key, heads(3), attn_mask=FLOAT_MASK)
    expected = torch.einsum("bhtd,bhsd->bhts", query, key) / math.sqrt(D) + FLOAT_MASK
    torch.testing.assert_close(attention.part("scores"), expected)


PADDING = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()[:B, None, None]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, torch.ones(B, T)),
        ({"is_causal": True}, torch.ones(B, T)),
        ({"attn_mask": FLOAT_MASK}, torch.ones(B, T)),
        ({"attn_mask": BOOL_MASK}, BOOL_MASK[0].float().expand(B, T)),
        ({"attn_mask": PADDING}, PADDING[:, 0, 0].float()),
        ({"attn_mask": torch.zeros(B, 1, 1, T).masked_fill(~PADDING, torch.finfo().min)}, PADDING[:, 0, 0].float()),
        ({"attn_mask": PADDING & torch.ones(T, T).tril().bool()}, PADDING[:, 0, 0].float()),
    ],
)
def test_padding_is_what_no_position_sees(options, expected):
    _, attention = recorded(heads(1), heads(2), heads(3), **options)
    assert torch.equal(attention.part("seen"), expected)


def test_keys_after_the_last_query_are_not_seen_where_each_sees_none_after_it():
    _, attention = recorded(heads(1, tokens=3), heads(2), heads(3), is_causal=True)
    assert torch.equal(attention.part("seen"), torch.tensor([1.0, 1, 1, 0, 0]).expand(B, T))


def test_masked_scores_are_finite_in_float16_too():
    _, attention = recorded(heads(1), heads(2), heads(3), attn_mask=BOOL_MASK)
    assert (attention.part("scores")[..., ~BOOL_MASK[0]] == LOWEST_SCORE).all()
    assert attention.part("scores").half().isfinite().all()


def test_a_position_that_sees_nothing_has_no_weights_and_no_gradient():
    query = heads(1)
    mask = BOOL_MASK.clone()
    mask[2] = False
    _, attention = recorded(query, heads(2), heads(3), attn_mask=mask)
    assert (attention.part("weights")[:, :, 2] == 0).all()
    attention.part("weights").square().sum().backward()
    assert query.grad.isfinite().all()
    assert (query.grad[:, :, 2] == 0).all()


def test_grouped_queries_share_keys_and_values():
    query, key, value = heads(1), heads(2, num_heads=2), heads(3, num_heads=2)
    output, attention = recorded(query, key, value, enable_gqa=True)
    assert attention.part("weights").shape == (B, H, T, T)
    assert attention.part("key").shape == (B, 2, T, D)
    torch.testing.assert_close(attention.part("weights") @ value.repeat_interleave(2, dim=1), output)


def test_a_causal_mask_is_aligned_at_the_first_position_where_lengths_differ():
    query, key, value = heads(1, tokens=3), heads(2), heads(3)
    output, attention = recorded(query, key, value, is_causal=True)
    torch.testing.assert_close(attention.part("weights") @ value, output)


def test_dropout_is_the_models_own_and_draws_what_it_would_have_drawn():
    torch.manual_seed(0)
    plain = functional.scaled_dot_product_attention(heads(1), heads(2), heads(3), dropout_p=0.5)
    torch.manual_seed(0)
    seen, _ = recorded(heads(1), heads(2), heads(3), dropout_p=0.5)
    assert torch.equal(plain, seen)


class OfOneself(nn.Module):
    """Attention of a sequence to itself, with weights or without."""

    def __init__(self, need_weights: bool, **options: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True, **options)
        self.options = {"need_weights": need_weights}

    def forward(self, x: torch.Tensor, **masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.inner(x, x, x, **self.options, **masks)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"kdim": 8, "vdim": 8}, {"add_bias_kv": True}])
def test_multi_head_attention_gives_the_weights_that_it_would_tell(need_weights, options, training):
    model = OfOneself(need_weights, **options).train(training)
    x = torch.randn(B, T, 8)
    taps = Taps(model, ["attention1.weights", "inner.value"], example=(x,))
    answer = taps(x)
    output, weights = model.inner(x, x, x, need_weights=True, average_attn_weights=False)
    torch.testing.assert_close(answer.features["attention1.weights"], weights)
    torch.testing.assert_close(answer.logits, output)
    assert answer.features["inner.value"].shape == (B, 2, weights.shape[-1], 4)
    answer.features["attention1.weights"].square().sum().backward()


def test_multi_head_attention_masks_and_own_answer_stay():
    model = OfOneself(need_weights=True, dropout=0.5).train()
    x = torch.randn(B, T, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(T)
    torch.manual_seed(3)
    expected = model(x, attn_mask=mask, is_causal=True)
    torch.manual_seed(3)
    with AttentionRecorder() as recorder:
        output = model(x, attn_mask=mask, is_causal=True)
    assert torch.equal(output[0], expected[0])
    assert torch.equal(output[1], expected[1])
    without_dropout = model.eval().inner(x, x, x, attn_mask=mask, average_attn_weights=False)[1]
    torch.testing.assert_close(recorder.calls[1].weights(), without_dropout)
    padded = torch.tensor([[False] * T, [False] * 3 + [True] * 2])
    with torch.no_grad(), AttentionRecorder() as recorder:
        model.inner(x, x, x, key_padding_mask=padded)
    torch.testing.assert_close(
        recorder.calls[1].weights(), model.inner(x, x, x, key_padding_mask=padded, average_attn_weights=False)[1]
    )


def test_the_fast_path_of_an_encoder_is_left_aside():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 3).eval().requires_grad_(False)
    x = torch.randn(B, T, 8)
    answer = Taps(model, ["attention1.weights", "attention_last.weights", "stage2"], example=(x,))(x)
    first = model.layers[0].self_attn(x, x, x, average_attn_weights=False)[1]
    torch.testing.assert_close(answer.features["attention1.weights"], first)
    after = model.layers[1](model.layers[0](x))
    torch.testing.assert_close(answer.features["stage2"], after)
    last = model.layers[2].self_attn(after, after, after, average_attn_weights=False)[1]
    torch.testing.assert_close(answer.features["attention_last.weights"], last)
    torch.testing.assert_close(answer.logits, model(x))


def test_attention_is_found_by_the_path_of_a_module_and_listed():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    x = torch.randn(B, T, 8)
    names = ["attention2.scores", "layers.1.self_attn.scores", "layers.1.scores", "mine.scores"]
    features = Taps(model, names, example=(x,), aliases={"mine": "attention_last"})(x).features
    assert all(torch.equal(features[name], features["attention2.scores"]) for name in names)
    listed = available(model, (x,))
    assert {f"attention{n}.{part}" for n in (1, 2) for part in PARTS} <= set(listed)
    assert listed["attention1.weights"] == (B, 2, T, T)
    with pytest.raises(ValueError, match=r"unknown feature 'attention3.weights'.*attention1 \(2, 5, 5\), attention2"):
        Taps(model, ["attention3.weights"], example=(x,))
    with pytest.raises(ValueError, match=r"unknown feature 'attention1'"):
        Taps(model, ["attention1"], example=(x,))
    with pytest.raises(ValueError, match=r"unknown feature 'attention1.weights.pooled'"):
        Taps(model, ["attention1.weights.pooled"], example=(x,))


def test_a_network_without_attention_that_can_be_seen_says_what_to_do():
    with pytest.raises(ValueError, match=r"attentions.*: none.*attn_implementation='sdpa'"):
        Taps(nn.Linear(3, 3), ["attention_last.weights"], example=(torch.zeros(1, 3),))


TRANSFORMERS = """
import copy, warnings, torch
warnings.simplefilter("ignore")
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM
from transformers import ViTConfig, ViTForImageClassification
from teachers.taps import Taps
sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 32}
words = {"vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2}
tokens = torch.randint(1, 50, (2, 7), generator=torch.Generator().manual_seed(1))
images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
cases = {
    "bert": (BertForSequenceClassification, BertConfig(**sizes, vocab_size=50), tokens, "bert.encoder.layer"),
    "vit": (ViTForImageClassification, ViTConfig(**sizes, image_size=16, patch_size=4), images, None),
    "llama": (LlamaForCausalLM, LlamaConfig(**sizes, **words, num_key_value_heads=2), tokens, "model.layers"),
}
names = ["attention1.weights", "attention2.weights", "attention_last.weights", "stage1", "stage2", "last.pooled"]
for name, (make, config, x, layers) in cases.items():
    torch.manual_seed(0)
    config._attn_implementation = "eager"
    eager = make(copy.deepcopy(config)).eval()
    config._attn_implementation = "sdpa"
    model = make(config).eval()
    model.load_state_dict(eager.state_dict())
    with torch.no_grad():
        expected = eager(x, output_attentions=True, output_hidden_states=True)
        answer = Taps(model, names, example=(x,))(x)
    for number, key in enumerate(names[:3]):
        torch.testing.assert_close(answer.features[key], expected.attentions[number])
    for number in (1, 2):
        torch.testing.assert_close(answer.features[f"stage{number}"], expected.hidden_states[number])
    assert answer.features["last.pooled"].shape == (2, 16)
    torch.testing.assert_close(answer.logits, expected.logits)
    if layers:
        path = f"{layers}.2"
        assert torch.equal(Taps(model, [path], example=(x,))(x).features[path].mean(1), answer.features["last.pooled"])
    try:
        Taps(eager, ["attention1.weights"], example=(x,))
    except ValueError as error:
        assert "attn_implementation='sdpa'" in str(error)
    else:
        raise AssertionError("attention that is written out cannot be seen")
    print(name)
"""


def test_transformers_give_the_attentions_of_their_eager_code():
    pytest.importorskip("transformers")
    # In a process of its own, since the library warns as it is imported.
    command = [sys.executable, "-c", TRANSFORMERS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["bert", "vit", "llama"]
