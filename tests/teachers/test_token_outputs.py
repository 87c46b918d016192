"""Shape letters: K = teachers, N = rows, T = positions, V = vocabulary."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from teachers import (
    Batch,
    CachedOutputs,
    Coverage,
    CutLogits,
    Inputs,
    JoinedOutputs,
    Outputs,
    OutputStore,
    Teacher,
    compute_shard,
    fill,
    pack,
    plan_shards,
    rows_of_call,
)
from teachers.cache.sampled import NEVER, encode_sampled

VOCABULARY, LENGTH = 50, 4
IDS = np.random.default_rng(0).integers(0, VOCABULARY, (9, LENGTH))


class Bigrams:
    def __init__(self, seed: int) -> None:
        self.logits_VV = 3 * torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(seed))

    def __call__(self, inputs: Inputs, features: object = ()) -> Outputs:
        assert isinstance(inputs, Tensor)
        return Outputs(logits=self.logits_VV[inputs])


TEACHERS = [Teacher(name=f"t{n}", model=Bigrams(n), coverage=Coverage(), digest=f"t{n}") for n in range(2)]


def cached(folder: Path, *, top_k: int | None, drawn: bool = False) -> CachedOutputs:
    store = OutputStore(folder, limit_bytes=None)
    shards = plan_shards(TEACHERS, IDS, dtype="float32", top_k=top_k, drawn=drawn, shard_rows=4)
    fill(store, shards, TEACHERS, IDS, num_classes=VOCABULARY)
    return CachedOutputs.open(store, pack(store, shards, TEACHERS, num_classes=VOCABULARY))


def batch(*rows: int) -> Batch:
    index = torch.tensor(rows)
    return Batch(index=index, inputs=torch.from_numpy(IDS[list(rows)]), labels=index)


@pytest.mark.parametrize("top_k", [None, 5])
def test_tokens_are_what_the_whole_batch_says(tmp_path: Path, top_k: int | None) -> None:
    outputs = cached(tmp_path, top_k=top_k)
    tokens = outputs.of_tokens(batch(7, 2))
    whole_KNTV = outputs(batch(7, 2)).logits
    position = torch.tensor([0, 3, 6])
    torch.testing.assert_close(tokens.at(position).logits, whole_KNTV.flatten(1, 2)[:, position])
    torch.testing.assert_close(tokens.entire().logits, whole_KNTV)
    torch.testing.assert_close(tokens.only([1]).at(position).logits, whole_KNTV.flatten(1, 2)[1:, position])


def test_what_is_cut_stays_cut_until_some_tokens_are_asked_for(tmp_path: Path) -> None:
    tokens = cached(tmp_path, top_k=5).of_tokens(batch(0, 1, 2))
    assert all(isinstance(logits, CutLogits) and logits.values.shape == (3, LENGTH, 5) for logits in tokens.logits)
    assert tokens.of_rows().logits.shape == (2, 3, 0)


def test_cached_and_live_teachers_are_heard_together(tmp_path: Path) -> None:
    store = OutputStore(tmp_path, limit_bytes=None)
    shards = plan_shards(TEACHERS[:1], IDS, dtype="float32", top_k=5)
    fill(store, shards, TEACHERS[:1], IDS, num_classes=VOCABULARY)
    packed = CachedOutputs.open(store, pack(store, shards, TEACHERS[:1], num_classes=VOCABULARY))
    joined = JoinedOutputs(
        num_teachers=2, num_classes=VOCABULARY, packed=(0,), packs={0: packed}, live={1: TEACHERS[1]}
    )
    first, second = joined.of_tokens(batch(4, 5)).logits
    assert isinstance(first, CutLogits)
    assert isinstance(second, Tensor)
    torch.testing.assert_close(second, TEACHERS[1].model(torch.from_numpy(IDS[[4, 5]])).logits)


def test_shares_of_what_was_drawn_are_right_on_average() -> None:
    logits_V = torch.tensor([2.0, 1.0, 0.0, -1.0, -2.0, 0.5])
    rows = np.arange(4000)[:, None]
    found = encode_sampled(logits_V.expand(4000, 6), k=3, dtype="float32", rows=rows)
    shares = torch.zeros(4000, 6).scatter_(
        1, torch.from_numpy(found["classes"].astype(np.int64)), torch.from_numpy(found["values"]).exp()
    )
    assert torch.allclose(shares.sum(dim=1), torch.ones(4000))
    deviation = (logits_V.softmax(dim=0) * (1 - logits_V.softmax(dim=0)) / 3 / 4000).sqrt()
    assert ((shares.mean(dim=0) - logits_V.softmax(dim=0)).abs() < 4 * deviation).all()


def test_what_was_drawn_of_a_row_depends_on_the_row_alone() -> None:
    answers = [
        compute_shard(TEACHERS[0], IDS[rows], num_classes=VOCABULARY, dtype="float32", top_k=4, drawn=True)["logits"]
        for rows in ([0, 1, 2], [2])
    ]
    for name in ("values", "classes", "tail"):
        assert np.array_equal(answers[0][name][2], answers[1][name][0])


def test_what_was_not_drawn_has_no_probability_and_spoils_no_loss(tmp_path: Path) -> None:
    logits_nV = cached(tmp_path, top_k=4, drawn=True).of_tokens(batch(3)).at(torch.arange(LENGTH)).logits[0]
    p_nV = logits_nV.softmax(dim=-1)
    assert ((p_nV > 0).sum(dim=-1) <= 4).all()
    assert float(logits_nV.min()) < NEVER / 2
    divergence = (p_nV * (logits_nV.log_softmax(dim=-1) - torch.randn(LENGTH, VOCABULARY).log_softmax(dim=-1))).sum(-1)
    assert bool(torch.isfinite(divergence).all())


def test_drawn_and_largest_logits_have_different_names() -> None:
    keys = [
        plan_shards(TEACHERS, IDS, dtype="float16", top_k=k, drawn=drawn)[0].key.digest
        for k, drawn in ((4, False), (4, True), (None, False), (None, True))
    ]
    assert len(set(keys)) == 3  # Where nothing is cut, nothing is drawn.


def test_a_teacher_of_many_tokens_is_asked_about_few_rows_at_a_time() -> None:
    assert rows_of_call(IDS, VOCABULARY) == 256
    assert rows_of_call(np.zeros((10, 128), dtype=np.int64), 8192) == 16
    assert rows_of_call(["a text"], 8192) == 256
    assert rows_of_call(np.zeros((10, 3, 8, 8), dtype=np.uint8), 10) == 256
