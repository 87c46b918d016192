"""Shape letters: B = texts, T = tokens, V = vocabulary."""

import numpy as np
import pytest
import torch

from teachers import LOADERS
from tests.trials.decoders import signature, small_decoder
from trials.compress import PRECISIONS
from trials.decoding import decodes, nothing_before, past_of, prompt_signature, shipped_form, token_signature
from trials.export import onnx_predictor, replace_weights, trace
from trials.generation import write
from trials.graph_writer import graph_text
from trials.measure import measure_latency
from trials.records import LatencySettings
from trials.sampling import Sampling
from trials.sessions import open_session
from trials.writers import decoder_text

NUM_TOKENS = 40
SETTINGS = LatencySettings(rounds=6, warmup_runs=1, min_runs=6, seconds=0.01)
IDS = torch.from_numpy(np.random.default_rng(0).integers(1, NUM_TOKENS, (8, 12)))


@pytest.fixture(scope="module")
def graph() -> bytes:
    other, spec = small_decoder(NUM_TOKENS, seed=1)
    template = trace(*shipped_form(other, spec, signature(NUM_TOKENS)))
    form, _ = shipped_form(small_decoder(NUM_TOKENS)[0], spec, signature(NUM_TOKENS))
    return replace_weights(template, form)


def test_a_graph_writes_what_the_module_writes(graph: bytes) -> None:
    student, _ = small_decoder(NUM_TOKENS)
    how = {"samples": 2, "sampling": Sampling(), "max_new_tokens": 5, "end": 1, "seed": 0}
    prompts = [[2, 3, 4], [5, 6], [7, 8, 9]]
    by_graph = write(graph_text(open_session(graph, threads=1, provider="cpu")), prompts, **how)
    by_module = write(decoder_text(student.body), prompts, **how)
    assert [[text.ids for text in of] for of in by_graph] == [[text.ids for text in of] for of in by_module]


def test_the_same_graph_judges_whole_texts_with_padding_at_their_end(graph: bytes) -> None:
    student, _ = small_decoder(NUM_TOKENS)
    padded = IDS.clone()
    padded[:, 9:] = 0
    with torch.no_grad():
        expected = student(padded)[:, :9].numpy()
    np.testing.assert_allclose(onnx_predictor(graph)(padded)[:, :9], expected, rtol=1e-4, atol=1e-4)


def test_it_can_be_a_teacher(graph: bytes, tmp_path) -> None:
    (tmp_path / "model.onnx").write_bytes(graph)
    student, _ = small_decoder(NUM_TOKENS)
    with torch.no_grad():
        expected = student(IDS)
    found = LOADERS["onnx"](path=tmp_path / "model.onnx").model(IDS).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_weights_ship_once(graph: bytes) -> None:
    student, _ = small_decoder(NUM_TOKENS)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in student.parameters())
    assert weights < len(graph) < weights + 20_000


def test_latency_is_that_of_a_token_and_of_a_prompt(graph: bytes) -> None:
    _, spec = small_decoder(NUM_TOKENS)
    assert decodes(spec, signature(NUM_TOKENS))
    token = token_signature(spec, signature(NUM_TOKENS), length=16)
    assert [tensor.shape for tensor in token.inputs] == [(1,), *[(1, 15, 8)] * 4]
    prompt = prompt_signature(spec, signature(NUM_TOKENS), length=16)
    assert [tensor.shape for tensor in prompt.inputs] == [(16,), *[(1, None, 8)] * 4]
    first = token_signature(spec, signature(NUM_TOKENS), length=1)
    for sizes, length in ((token, 16), (prompt, 16), (first, 1)):
        latency = measure_latency(graph, sizes, SETTINGS, varying=0)
        assert latency.length == length
        assert latency.median_ms > 0


def test_int8_is_calibrated_on_whole_texts_and_goes_on_from_others(graph: bytes) -> None:
    student, spec = small_decoder(NUM_TOKENS)
    past = nothing_before(past_of(spec, signature(NUM_TOKENS)), len(IDS))
    assert {rows.shape for rows in past.values()} == {(8, 1, 0, 8)}
    quantised = PRECISIONS["int8"].convert(graph, {"input_ids": IDS.numpy(), **past})
    go_on = graph_text(open_session(quantised, threads=1, provider="cpu"))()
    with torch.no_grad():
        expected = student(IDS)[:, -1].numpy()
    go_on(IDS[:, :11].numpy())
    assert (go_on(IDS[:, 11:].numpy()).argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.5
    assert len(quantised) < 0.7 * len(graph)  # Half of a graph as small as this is no weights.
