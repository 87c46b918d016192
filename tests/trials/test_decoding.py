"""Shape letters: B = texts, T = tokens, V = vocabulary."""

import numpy as np
import pytest
import torch

from tests.trials.decoders import signature, small_decoder
from trials.compress import PRECISIONS
from trials.decoding import (
    decodes,
    decoding_calibration,
    decoding_graph,
    first_token_feeds,
    token_signature,
    trace_decoding,
)
from trials.generation import write
from trials.graph_writer import graph_text
from trials.measure import measure_feeds, measure_latency
from trials.records import LatencySettings
from trials.sampling import Sampling
from trials.sessions import open_session
from trials.writers import decoder_text

NUM_TOKENS = 40
SETTINGS = LatencySettings(rounds=6, warmup_runs=1, min_runs=6, seconds=0.01)


@pytest.fixture(scope="module")
def graph() -> bytes:
    student, spec = small_decoder(NUM_TOKENS, seed=1)
    template = trace_decoding(student, spec, signature(NUM_TOKENS))
    return decoding_graph(template, small_decoder(NUM_TOKENS)[0])


def test_a_graph_writes_what_the_module_writes(graph: bytes) -> None:
    student, _ = small_decoder(NUM_TOKENS)
    how = {"samples": 2, "sampling": Sampling(), "max_new_tokens": 5, "end": 1, "seed": 0}
    prompts = [[2, 3, 4], [5, 6], [7, 8, 9]]
    by_graph = write(graph_text(open_session(graph, threads=1, provider="cpu")), prompts, **how)
    by_module = write(decoder_text(student.body), prompts, **how)
    assert [[text.ids for text in of] for of in by_graph] == [[text.ids for text in of] for of in by_module]


def test_latency_is_that_of_a_token_and_of_a_prompt(graph: bytes) -> None:
    _, spec = small_decoder(NUM_TOKENS)
    assert decodes(spec, signature(NUM_TOKENS))
    token = token_signature(spec, signature(NUM_TOKENS), length=16)
    assert [tensor.shape for tensor in token.inputs] == [(1,), *[(1, 15, 8)] * 4]
    latency = measure_latency(graph, token, SETTINGS)
    assert latency.length == 16
    feeds = first_token_feeds(spec, signature(NUM_TOKENS), batch_size=2, length=16)
    assert feeds["input_ids"].shape == (2, 16)
    assert measure_feeds(graph, feeds, SETTINGS, length=16).median_ms > 0


def test_int8_is_calibrated_in_the_midst_of_texts(graph: bytes) -> None:
    ids = np.random.default_rng(0).integers(1, NUM_TOKENS, (8, 12))
    calibration = decoding_calibration(graph, ids)
    assert calibration["input_ids"].shape == (8, 6)
    assert calibration["past_key_0"].shape == (8, 1, 6, 8)
    quantised = PRECISIONS["int8"].convert(graph, calibration)
    go_on = graph_text(open_session(quantised, threads=1, provider="cpu"))()
    student, _ = small_decoder(NUM_TOKENS)
    with torch.no_grad():
        expected = student(torch.from_numpy(ids))[:, -1].numpy()
    assert (go_on(ids).argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.5
